// Holes: ranges that were unmapped lately. Behind the limit of mappings, filling a hole again joins the mappings on both
// sides and so gives the process a mapping back.
#ifndef OS_HOLES_H
#define OS_HOLES_H

#include "os/hak_types.h"

#define OS_HOLES 512u // the latest ones are remembered

typedef struct os_hole {
    char *start;
    size_t size;
} os_hole_t;

void os_holes_note(char *start, size_t size);

// Returns the latest hole and forgets it; its size is 0 if there is none. Others may have mapped its addresses since.
os_hole_t os_holes_take(void);

void os_holes_before_fork(void);
void os_holes_after_fork(void);

#endif
