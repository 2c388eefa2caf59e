// The heap's own figures: mallinfo2 and malloc_info follow allocations and frees.

#include "test.h"

#include "hakmem.h"

enum { MIB = 1 << 20, SMALL = 64 - T_CANARY, MEDIUM = 100000 };

static void **blocks;

static void allocate(size_t size, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        blocks[i] = T_must_malloc(size);
        memset(blocks[i], 1, 1);
    }
}

static void release(size_t count)
{
    for (size_t i = 0; i < count; i++) T_free(blocks[i]);
}

static void check_sums(const hak_mallinfo2_t *info)
{
    T_CHECK(info->uordblks + info->fordblks == info->arena, "%zu used and %zu free bytes are not %zu",
            info->uordblks, info->fordblks, info->arena);
    T_CHECK(info->smblks == 0 && info->usmblks == 0, "fastbins are counted, and there are none");
}

// The bytes in use grow with allocations and fall with frees: blocks of `size`, 16 MiB in total.
static void blocks_are_counted(size_t size)
{
    size_t count = 16 * MIB / size;
    T_malloc_trim(0);
    hak_mallinfo2_t before = hak_mallinfo2();
    allocate(size, count);
    hak_mallinfo2_t during = hak_mallinfo2();
    release(count);
    T_malloc_trim(0);
    hak_mallinfo2_t after = hak_mallinfo2();
    check_sums(&before);
    check_sums(&during);
    check_sums(&after);
    size_t grown = during.uordblks - before.uordblks;
    T_CHECK(grown >= count * size && grown < count * size * 5 / 4, "16 MiB of %zu bytes count as %zu", size,
            grown);
    T_CHECK(after.uordblks < before.uordblks + MIB, "%zu bytes count as used after all were freed",
            after.uordblks - before.uordblks);
    T_CHECK(during.arena >= during.uordblks, "more is used than mapped");
    T_CHECK(after.hblks == before.hblks, "small blocks count as large");
}

static void small_blocks_are_counted(void)
{
    blocks_are_counted(SMALL);
}

static void medium_blocks_are_counted(void)
{
    blocks_are_counted(MEDIUM);
}

static void large_blocks_are_counted(void)
{
    hak_mallinfo2_t before = hak_mallinfo2();
    allocate(3 * MIB - T_CANARY, 5);
    hak_mallinfo2_t during = hak_mallinfo2();
    blocks[0] = T_realloc(blocks[0], 9 * MIB - T_CANARY);
    T_CHECK(blocks[0] != NULL, "realloc failed");
    hak_mallinfo2_t resized = hak_mallinfo2();
    release(5);
    hak_mallinfo2_t after = hak_mallinfo2();
    T_CHECK(during.hblks == before.hblks + 5, "%zu large blocks instead of %zu", during.hblks,
            before.hblks + 5);
    T_CHECK(during.hblkhd == before.hblkhd + 15 * (size_t)MIB, "their bytes are %zu", during.hblkhd);
    T_CHECK(resized.hblkhd == during.hblkhd + 6 * (size_t)MIB, "after realloc their bytes are %zu",
            resized.hblkhd);
    T_CHECK(after.hblks == before.hblks && after.hblkhd == before.hblkhd, "%zu large blocks are left",
            after.hblks);
    T_CHECK(after.fsmblks > 0, "none of the freed mappings is kept");
    T_CHECK(after.keepcost >= after.fsmblks, "trim could return less than it keeps");
    T_malloc_trim(0);
    T_CHECK(hak_mallinfo2().fsmblks == 0, "trim left cached mappings");
}

#if defined(__GLIBC__) && !defined(HAKMEM_NO_INTERPOSE) // other C libraries have no mallinfo
#if __GLIBC_PREREQ(2, 33)
static void the_c_names_report_the_same(void)
{
    struct mallinfo2 info = mallinfo2();
    hak_mallinfo2_t own = hak_mallinfo2();
    T_CHECK(info.arena == own.arena && info.uordblks == own.uordblks && info.keepcost == own.keepcost &&
                info.hblkhd == own.hblkhd && info.ordblks == own.ordblks && info.fordblks == own.fordblks,
            "mallinfo2 and hak_mallinfo2 differ");
}
#endif

// Its fields are ints: a value that does not fit becomes the largest int, not a negative number.
static void the_old_mallinfo_is_clamped(void)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    void *huge = T_must_malloc((size_t)3 << 30);
    struct mallinfo info = mallinfo();
    T_free(huge);
    T_CHECK(info.hblkhd == INT32_MAX, "3 GiB count as %d", info.hblkhd);
    T_CHECK((size_t)mallinfo().arena == hak_mallinfo2().arena, "mallinfo and hak_mallinfo2 differ");
#pragma GCC diagnostic pop
}
#endif

// ---- malloc_info

static char text[65536];

static void read_info(void)
{
    FILE *file = tmpfile();
    T_CHECK(file != NULL, "tmpfile: %s", strerror(errno));
    T_CHECK(T_NAME(malloc_info)(0, file) == 0, "malloc_info failed");
    rewind(file);
    size_t length = fread(text, 1, sizeof text - 1, file);
    text[length] = '\0';
    T_CHECK(length > 0 && length < sizeof text - 1, "malloc_info wrote %zu bytes", length);
    fclose(file);
}

static size_t number_after(const char *words)
{
    const char *found = strstr(text, words);
    T_CHECK(found != NULL, "malloc_info does not report %s: %s", words, text);
    return strtoull(found + strlen(words), NULL, 10);
}

// Every opened tag is closed, in order.
static void check_nesting(void)
{
    const char *open[8];
    int depth = 0;
    for (const char *at = strchr(text, '<'); at != NULL; at = strchr(at + 1, '<')) {
        const char *end = strchr(at, '>');
        T_CHECK(end != NULL, "a tag has no end: %s", at);
        if (end[-1] == '/') continue;
        if (at[1] != '/') {
            T_CHECK(depth < 8, "tags are nested too deeply");
            open[depth++] = at + 1;
            continue;
        }
        size_t length = (size_t)(end - at - 2);
        T_CHECK(depth > 0 && strncmp(open[--depth], at + 2, length) == 0,
                "a tag is closed that is not open: %s", at);
    }
    T_CHECK(depth == 0, "%d tags are left open", depth);
}

static void malloc_info_writes_xml_that_follows_the_heap(void)
{
    read_info();
    check_nesting();
    T_CHECK(strncmp(text, "<malloc version=", 16) == 0, "it begins otherwise: %s", text);
    size_t pages = number_after("pages_used=\""), large = number_after("<large blocks=\"");
    allocate(SMALL, 100000);
    void *block = T_must_malloc(2 * MIB);
    read_info();
    T_CHECK(number_after("pages_used=\"") >= pages + 100000 * SMALL / 65536, "the pages in use did not grow");
    T_CHECK(number_after("<large blocks=\"") == large + 1, "the large block is not there");
    release(100000);
    T_free(block);
}

static void malloc_info_knows_no_options(void)
{
    T_CHECK(T_NAME(malloc_info)(1, stdout) == EINVAL, "option 1 was taken");
}

static void malloc_info_reports_when_it_cannot_write(void)
{
    FILE *full = fopen("/dev/full", "w");
    if (full == NULL) return; // some systems have no such device
    setvbuf(full, NULL, _IONBF, 0);
    T_CHECK(T_NAME(malloc_info)(0, full) == EIO, "writing to a full device went well");
    fclose(full);
}

int main(void)
{
    blocks = T_pages(16 * MIB / SMALL * sizeof *blocks);
    T_RUN(small_blocks_are_counted);
    T_RUN(medium_blocks_are_counted);
    T_RUN(large_blocks_are_counted);
#if defined(__GLIBC__) && !defined(HAKMEM_NO_INTERPOSE)
#if __GLIBC_PREREQ(2, 33)
    T_RUN(the_c_names_report_the_same);
#endif
    T_RUN(the_old_mallinfo_is_clamped);
#endif
    T_RUN(malloc_info_writes_xml_that_follows_the_heap);
    T_RUN(malloc_info_knows_no_options);
    T_RUN(malloc_info_reports_when_it_cannot_write);
    return 0;
}
