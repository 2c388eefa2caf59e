// The shared pool's free memory beyond what the recent peak and its age allow, and the way back to the system.
#ifndef POOL_RETURN_H
#define POOL_RETURN_H

#include "os/hak_types.h"

// True if more is free than may stay; the caller holds the pool's lock.
bool pool_is_surplus(bool for_others);

// Returns the free bytes that a class has to leave to others when it takes new memory, with full checks: a class cannot use
// what others have freed. The caller holds the pool's lock.
size_t pool_surplus_for_others(void);

// As shared_pool_return. `for_others`: free and used memory together stay within the recent peak.
size_t pool_return(size_t most, uint32_t now, uint32_t delay, bool for_others);

#endif
