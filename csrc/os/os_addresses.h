// Addresses that the system refused to unmap: the process keeps them, without memory, and uses them for later mappings.
//
// munmap fails if it would split a mapping beyond the process's limit, and always in some sandboxes. These functions
// call nothing of the system; the caller makes the records.
#ifndef OS_ADDRESSES_H
#define OS_ADDRESSES_H

#include "os/hak_types.h"

typedef struct os_range {
    char *start;
    char *end;
    struct os_range *next;
} os_range_t;

// Returns a record that is used no more; NULL when there is none.
os_range_t *os_addresses_unused_record(void);

// Keeps a range, which consists of whole pages and is unused, in the record.
void os_addresses_keep(os_range_t *record, char *start, size_t size);

// Returns `size` bytes of the kept addresses with (start + offset) % alignment == 0; NULL when there are none. The range
// behind them, *behind bytes, is kept no more.
char *os_addresses_take(size_t size, size_t alignment, size_t offset, size_t *behind);

void os_addresses_before_fork(void);
void os_addresses_after_fork(void);

#endif
