// Randomness: from the kernel, or else from what the kernel gave the program at its start.
#define _GNU_SOURCE
#include "os/secret.h"

#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static char here; // its address is random if the system places libraries at random addresses

// Folds both halves of a product, as wyhash does: the inputs cannot be derived from the result.
static uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)(a ^ 0x9e3779b97f4a7c15u) * (b | 1);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

// Used when the kernel provides no random numbers: combines those that the kernel gave the program at its start
// (AT_RANDOM), addresses, and the time. The C library derives its stack and pointer guards from AT_RANDOM, so the
// result must reveal none of these bytes.
static uint64_t secret_from_start(void)
{
    uint64_t given[2] = {0, 0};
    struct timespec now = {0, 0};
    const void *random = (const void *)getauxval(AT_RANDOM);
    if (random != NULL) memcpy(given, random, sizeof given);
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t secret = fold(given[0] ^ (uint64_t)now.tv_nsec, (uintptr_t)&here);
    secret = fold(secret ^ given[1], (uintptr_t)&now ^ (uint64_t)now.tv_sec << 32);
    return fold(secret, given[0] + given[1]);
}

uint64_t os_secret(void)
{
    uint64_t secret = 0;
    int saved = errno;
    if (syscall(SYS_getrandom, &secret, sizeof secret, GRND_NONBLOCK) != sizeof secret)
        secret = secret_from_start();
    errno = saved;
    return secret | 1; // never zero
}
