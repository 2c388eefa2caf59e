// Randomness: numbers that cannot be guessed.
#ifndef OS_SECRET_H
#define OS_SECRET_H

#include "os/hak_types.h"

// Returns a number that neither another process nor this program can guess; not 0, and different at each call.
uint64_t os_secret(void);

#endif
