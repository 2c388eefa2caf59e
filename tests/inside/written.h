// Whether the system tells what a program has written to: without that, only small blocks get huge pages.
#ifndef WRITTEN_H
#define WRITTEN_H

#include "inside.h"

#include "os/os.h"

static inline bool tells_what_is_written(void)
{
    bool present[OS_PRESENT_MOST];
    char *page = T_pages(OS_PAGE);
    *page = 1;
    return os_present(page, 1, present) && present[0];
}

#endif
