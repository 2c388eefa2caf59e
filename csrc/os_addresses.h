// Addresses that the system did not take back: they stay the process', without memory, and the next mappings are made of them.
//
// munmap fails where it would split a mapping beyond the process' limit, and always in some sandboxes. Nothing here asks the
// system for anything but records.
#ifndef OS_ADDRESSES_H
#define OS_ADDRESSES_H

#include "hak_types.h"

// The range is whole pages; nothing is in it.
void os_addresses_keep(char *start, size_t size);

// `size` bytes of what is kept, of which the one at `offset` has the alignment; NULL when there are none.
char *os_addresses_take(size_t size, size_t alignment, size_t offset);

void os_addresses_before_fork(void);
void os_addresses_after_fork(void);

#endif
