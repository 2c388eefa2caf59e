// Addresses that the system refused to unmap: the process keeps them, without memory, and uses them for later mappings.
//
// munmap fails if it would split a mapping beyond the process's limit, and always in some sandboxes. These functions
// call nothing of the system; the caller makes the records.
#ifndef OS_ADDRESSES_H
#define OS_ADDRESSES_H

#include "os/hak_types.h"

// range: whole pages that are unused.
typedef struct os_range {
    char *start;
    char *end;
    size_t longest; // range in the subtree, in bytes
    size_t longest_ready; // the same of those that are ready
    struct os_range *lower;
    struct os_range *higher;
    bool is_ready; // readable, writable and zero
} os_range_t;

// Returns a record that is used no more; NULL when there is none.
os_range_t *os_addresses_unused_record(void);

// Keeps the range of the record.
void os_addresses_keep(os_range_t *range);

// Keeps addresses without a record, if they are adjacent to a range of the same kind; else false.
bool os_addresses_keep_beside(char *start, size_t size, bool is_ready);

// What was taken. `rest` is the part behind it that is not kept any more; it is empty unless aligning left a part in
// front, too.
typedef struct os_taken {
    char *start; // NULL: no kept range has the place
    bool is_ready;
    size_t rest;
} os_taken_t;

// Takes `size` bytes of the kept addresses with (start + offset) % alignment == 0; or only of those that are ready.
os_taken_t os_addresses_take(size_t size, size_t alignment, size_t offset);
os_taken_t os_addresses_take_ready(size_t size, size_t alignment, size_t offset);

void os_addresses_before_fork(void);
void os_addresses_after_fork(void);

#endif
