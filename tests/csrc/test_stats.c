// malloc_stats: one line per layer with what it holds, then the totals below the layers; it allocates nothing.

#include "test.h"

#define BLOCKS 100
#define SIZE 64 // bytes of memory of a block, with a canary or without

static char text[8192];

// Captures what malloc_stats writes to stderr. The pipe is large enough for it.
static void capture(void)
{
    int ends[2], before = dup(STDERR_FILENO);
    T_CHECK(pipe(ends) == 0 && before >= 0, "no pipe: %s", strerror(errno));
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    errno = EXDEV;
    T_NAME(malloc_stats)();
    int error = errno;
    dup2(before, STDERR_FILENO);
    close(before);
    ssize_t length = read(ends[0], text, sizeof text - 1);
    close(ends[0]);
    T_CHECK(error == EXDEV, "malloc_stats set errno to %d", error);
    T_CHECK(length > 0, "malloc_stats wrote nothing");
    text[length] = '\0';
}

static void every_line_has_its_figures(void)
{
    capture();
    T_CHECK(text[strlen(text) - 1] == '\n', "the last line has no end");
    unsigned layers = 0, totals = 0;
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) != NULL && *line != '\0';) {
        char role[16], storage[16];
        size_t a, b, c, d;
        if (strlen(line) > 17 && line[16] == ' ' &&
            sscanf(line + 17, "%15s %15s %zu blocks %zu bytes", role, storage, &a, &b) == 4)
            layers++;
        else if (sscanf(line, "%zu superslabs, %zu slabs in use; %zu arena chunks, %zu bytes in use", &a, &b,
                        &c, &d) == 4)
            totals++;
        else T_CHECK(false, "no line of statistics: %s", line);
    }
    T_CHECK(layers >= 2, "%u layers", layers);
    T_CHECK(totals == 1, "%u lines of totals", totals);
}

static void held(size_t *blocks, size_t *bytes)
{
    capture();
    *blocks = *bytes = 0;
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        size_t more_blocks, more_bytes;
        if (sscanf(line + 17, "%*s %*s %zu blocks %zu bytes", &more_blocks, &more_bytes) != 2) continue;
        *blocks += more_blocks;
        *bytes += more_bytes;
    }
}

static void freed_blocks_are_held_by_the_layers(void)
{
    void *live[BLOCKS];
    size_t blocks_before, bytes_before, blocks, bytes;
    for (int i = 0; i < BLOCKS; i++) live[i] = T_must_malloc(SIZE - T_CANARY);
    held(&blocks_before, &bytes_before);
    for (int i = 0; i < BLOCKS; i++) T_free(live[i]);
    held(&blocks, &bytes);
    T_CHECK(blocks == blocks_before + BLOCKS, "%zu blocks held, then %zu", blocks_before, blocks);
    T_CHECK(bytes == bytes_before + (size_t)BLOCKS * SIZE, "%zu bytes held, then %zu", bytes_before, bytes);
}

int main(void)
{
    T_RUN(every_line_has_its_figures);
    T_RUN(freed_blocks_are_held_by_the_layers);
    return 0;
}
