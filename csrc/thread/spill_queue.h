// Spill queue, option `bg_spill`: spilled blocks wait in a list; a later slow path of any thread returns them to their
// slabs. Without the option these functions do nothing.
#ifndef SPILL_QUEUE_H
#define SPILL_QUEUE_H

#include "registry/tiny_row.h"

#if TINY_HAS_OPTION_BG_SPILL

// False: the queue has no room, or the option is off.
bool spill_queue_add(const tiny_row_t *row);
void spill_queue_empty(void);

#else

static inline bool spill_queue_add(const tiny_row_t *row)
{
    (void)row;
    return false;
}

static inline void spill_queue_empty(void)
{
}

#endif
#endif
