// Sizes and bounds of the shared pool.
#ifndef POOL_SIZES_H
#define POOL_SIZES_H

#include "os/hak_types.h"

#define SHARED_POOL_SUPERSLAB ((size_t)32 * HAK_PAGE)
#define SHARED_POOL_GUARDS 8192u

// seams: ends of pieces of memory that have moved to one slab, see pool_move.h. Each costs two mappings.
#define SHARED_POOL_SEAMS 4096u

#endif
