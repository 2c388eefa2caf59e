// Addresses that the system refused to unmap: the process keeps them, without memory, and uses them for later mappings.
//
// munmap fails if it would split a mapping beyond the process's limit, and always in some sandboxes. This file calls
// the system only for records.
#ifndef OS_ADDRESSES_H
#define OS_ADDRESSES_H

#include "os/hak_types.h"

// The range consists of whole pages and is unused.
void os_addresses_keep(char *start, size_t size);

// Returns `size` bytes of the kept addresses with (start + offset) % alignment == 0; NULL when there are none.
char *os_addresses_take(size_t size, size_t alignment, size_t offset);

void os_addresses_before_fork(void);
void os_addresses_after_fork(void);

#endif
