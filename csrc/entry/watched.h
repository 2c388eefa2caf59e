// Reports every block to Valgrind's memcheck, in debug builds: its start and end, that it is not written yet, that it
// is freed. So memcheck finds leaks, overruns and reads of uninitialised bytes in a program that uses this allocator.
#ifndef WATCHED_H
#define WATCHED_H

#include "debug/memcheck.h"

#if HAK_MEMCHECK

// As the functions of hakmem_entry.h; each block has a redzone.
void *watched_alloc(size_t size, size_t alignment, bool *zeroed) COLD;
void watched_free(void *block) COLD;
void watched_free_sized(void *block, size_t size) COLD;
size_t watched_size(void *block, const char *misuse) COLD;
void watched_shrink(void *block, size_t size) COLD;

#endif
#endif
