// A malloc that is preloaded in front of the one under test and makes one mistake, which PLANT names.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define OVERLAP 1
#define CONTENTS 2
#define ALIGNMENT 3
#define ZERO 4

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#if PLANT == OVERLAP
// Every block of 256 to 1024 bytes lies in one and the same place.
static _Alignas(16) char place[1040];

void *malloc(size_t size)
{
    return size >= 256 && size <= 1024 ? place : NEXT(malloc)(size);
}

void free(void *block)
{
    if (block != place) NEXT(free)(block);
}

size_t malloc_usable_size(void *block)
{
    return block == place ? 1024 : NEXT(malloc_usable_size)(block);
}

void *realloc(void *block, size_t size)
{
    if (block != place) return NEXT(realloc)(block, size);
    return size > 0 ? memcpy(NEXT(malloc)(size), place, size < 1024 ? size : 1024) : NULL;
}
#elif PLANT == CONTENTS
void *realloc(void *block, size_t size)
{
    char *moved = NEXT(realloc)(block, size);
    if (block != NULL && size > 100) moved[0] ^= 1;
    return moved;
}
#elif PLANT == ALIGNMENT
void *memalign(size_t alignment, size_t size)
{
    char *block = NEXT(memalign)(alignment, size + 16);
    return alignment == 256 ? block + 16 : block;
}
#elif PLANT == ZERO
void *calloc(size_t count, size_t size)
{
    char *block = NEXT(calloc)(count, size);
    if (count > 3 && size > 40) block[count * size - 1] = 1;
    return block;
}
#endif
