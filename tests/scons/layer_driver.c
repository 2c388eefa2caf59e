// Allocates and frees as its arguments declare, and prints which blocks it gets, in order.
//
// a:SIZE:COUNT  allocates COUNT blocks of SIZE bytes; prints a line "SIZE: n n n", where n tells the blocks of a size
// apart, 0 the one that came first.  f:SIZE:COUNT  frees the COUNT blocks of that size that have been out longest.
// Nothing else in here allocates, so the library's counts are those of the arguments.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SIZES 64
#define BLOCKS (1u << 16)

struct size {
    size_t size;
    unsigned seen; // distinct blocks
    unsigned first, end; // of `out`: the allocated blocks, oldest first
    void *out[2 * BLOCKS];
    void *known[2 * BLOCKS]; // a hash table of addresses
    unsigned number[2 * BLOCKS];
};

static struct size sizes[SIZES];

static struct size *of(size_t size)
{
    for (unsigned i = 0; i < SIZES; i++) {
        if (sizes[i].size == 0) sizes[i].size = size;
        if (sizes[i].size == size) return &sizes[i];
    }
    _exit(3);
}

static unsigned number_of(struct size *size, void *block)
{
    unsigned slot = (unsigned)((uintptr_t)block / 8 * 2654435761u) % (2 * BLOCKS);
    while (size->known[slot] != NULL && size->known[slot] != block) slot = (slot + 1) % (2 * BLOCKS);
    if (size->known[slot] == NULL) {
        if (size->seen == BLOCKS) _exit(4);
        size->known[slot] = block;
        size->number[slot] = size->seen++;
    }
    return size->number[slot];
}

static void print(const char *format, size_t value)
{
    static char line[4096];
    static size_t used;
    used += (size_t)snprintf(line + used, sizeof line - used, format, value);
    if (*format != '\n' && used < sizeof line - 32) return;
    if (write(STDOUT_FILENO, line, used) != (ssize_t)used) _exit(5);
    used = 0;
}

static void allocate(struct size *size, unsigned count)
{
    print("%zu:", size->size);
    for (unsigned i = 0; i < count; i++) {
        void *block = malloc(size->size);
        if (block == NULL || size->end == 2 * BLOCKS) _exit(6);
        size->out[size->end++] = block;
        print(" %zu", number_of(size, block));
    }
    print("\n", 0);
}

static void release(struct size *size, unsigned count)
{
    for (unsigned i = 0; i < count && size->first < size->end; i++) free(size->out[size->first++]);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        unsigned long size, count;
        if (sscanf(argv[i] + 1, ":%lu:%lu", &size, &count) != 2) return 2;
        if (argv[i][0] == 'a') allocate(of(size), (unsigned)count);
        else release(of(size), (unsigned)count);
    }
    return 0;
}
