// Every block has the promised alignment: the default for all sizes, or the alignment that an aligned call requests.

#include "test.h"

enum { LIVE = 4 }; // live blocks per size: the first block of a slab may be aligned by chance

static size_t default_alignment(size_t size)
{
    return size < 16 ? T_MIN_ALIGN : 16;
}

static void check_size(size_t size)
{
    void *blocks[LIVE];
    for (int i = 0; i < LIVE; i++) {
        blocks[i] = T_must_malloc(size);
        T_CHECK_ALIGNED(blocks[i], default_alignment(size));
        memset(blocks[i], 0xa5, size < 64 ? size : 64);
    }
    for (int i = 0; i < LIVE; i++) T_free(blocks[i]);
}

static void every_small_size(void)
{
    for (size_t size = 0; size <= 4096; size++) check_size(size);
}

static void sizes_around_powers_of_two(void)
{
    for (size_t power = 4096; power <= (4 << 20); power *= 2)
        for (size_t size = power - 17; size <= power + 17; size++) check_size(size);
}

static void calloc_and_realloc_too(void)
{
    void *grown = NULL;
    for (size_t size = 1; size <= 4096; size++) {
        void *zeroed = T_calloc(1, size);
        grown = T_realloc(grown, size);
        T_CHECK(zeroed != NULL && grown != NULL, "no block of %zu bytes", size);
        T_CHECK_ALIGNED(zeroed, default_alignment(size));
        T_CHECK_ALIGNED(grown, default_alignment(size));
        T_free(zeroed);
    }
    T_free(grown);
}

// Sizes below, at and around the alignment, and far above it.
static const size_t aligned_sizes[] = {0,   1,    7,    8,    24,   63,   64,    65,    100,
                                       256, 1000, 1024, 1025, 4096, 5000, 40000, 300000};
enum { ALIGNED_SIZES = sizeof aligned_sizes / sizeof aligned_sizes[0] };

// Holds blocks of all sizes at the same time, so that overlaps are detected.
static void check_alignment(size_t alignment)
{
    void *blocks[3][ALIGNED_SIZES];
    for (int i = 0; i < ALIGNED_SIZES; i++) {
        size_t size = aligned_sizes[i], rounded = (size + alignment - 1) / alignment * alignment;
        blocks[0][i] = T_aligned_alloc(alignment, rounded);
        blocks[1][i] = T_memalign(alignment, size);
        blocks[2][i] = NULL;
        int error = T_posix_memalign(&blocks[2][i], alignment, size);
        T_CHECK(error == 0, "posix_memalign(%zu, %zu) gave %d", alignment, size, error);
        for (int call = 0; call < 3; call++) {
            T_CHECK(blocks[call][i] != NULL, "no block of %zu bytes aligned to %zu", size, alignment);
            T_CHECK_ALIGNED(blocks[call][i], alignment);
            T_fill(blocks[call][i], size, (uint64_t)(call * ALIGNED_SIZES + i));
        }
    }
    for (int i = 0; i < ALIGNED_SIZES; i++) {
        for (int call = 0; call < 3; call++) {
            T_CHECK_PATTERN(blocks[call][i], aligned_sizes[i], (uint64_t)(call * ALIGNED_SIZES + i));
            T_free(blocks[call][i]);
        }
    }
}

static void every_alignment_up_to_4_mib(void)
{
    for (size_t alignment = 8; alignment <= (4 << 20); alignment *= 2) check_alignment(alignment);
}

// The block may lose its alignment, but must keep its content.
static void realloc_of_an_aligned_block_keeps_content(void)
{
    for (size_t alignment = 16; alignment <= (1 << 20); alignment *= 2) {
        for (size_t size = 1; size <= (1 << 20); size = size * 3 + 1) {
            unsigned char *block = T_memalign(alignment, size);
            T_CHECK(block != NULL, "no block of %zu bytes aligned to %zu", size, alignment);
            T_fill(block, size, size);
            block = T_realloc(block, size * 2);
            T_CHECK(block != NULL, "realloc of an aligned block failed");
            T_CHECK_PATTERN(block, size, size);
            block = T_realloc(block, size / 2 + 1);
            T_CHECK(block != NULL, "realloc of an aligned block failed");
            T_CHECK_PATTERN(block, size / 2 + 1, size);
            T_free(block);
        }
    }
}

static void posix_memalign_refuses_bad_alignments(void)
{
    static const size_t bad[] = {0, 1, 2, 4, 7, 9, 12, 24, 48, 100, 4095, 4097, SIZE_MAX, SIZE_MAX / 2 + 2};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        void *untouched = &untouched;
        int error = T_posix_memalign(&untouched, bad[i], 64);
        T_CHECK(error == EINVAL, "posix_memalign with alignment %zu gave %d instead of EINVAL", bad[i],
                error);
        T_CHECK(untouched == &untouched, "posix_memalign with alignment %zu wrote its result", bad[i]);
    }
}

// An alignment that is not a power of two is refused with EINVAL, or rounded up to one (in older C libraries).
static void check_odd_alignment(const char *call, void *block, size_t power)
{
    T_CHECK(block != NULL || errno == EINVAL, "%s with an odd alignment set errno to %d", call, errno);
    if (block == NULL) return;
    T_CHECK_ALIGNED(block, power);
    T_free(block);
}

static void odd_alignments_are_refused_or_rounded_up(void)
{
    errno = 0;
    check_odd_alignment("aligned_alloc", T_aligned_alloc(24, 48), 32);
    errno = 0;
    check_odd_alignment("memalign", T_memalign(100, 48), 128);
}

static void impossible_alignments_are_refused(void)
{
    T_CHECK(T_memalign((size_t)1 << 62, 1) == NULL, "a block aligned to 2^62");
    T_CHECK(T_memalign((size_t)1 << 63, 1) == NULL, "a block aligned to 2^63");
    T_CHECK(T_memalign(SIZE_MAX / 2 + 2, 1) == NULL, "a block aligned to more than 2^63");
    void *block = NULL;
    int error = T_posix_memalign(&block, (size_t)1 << 62, 1);
    T_CHECK(error == ENOMEM, "posix_memalign with alignment 2^62 gave %d", error);
}

static void valloc_and_pvalloc_give_whole_pages(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    static const size_t sizes[] = {0, 1, 100, 4095, 4096, 4097, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        void *block = T_valloc(sizes[i]), *pages = T_pvalloc(sizes[i]);
        T_CHECK(block != NULL && pages != NULL, "no pages for %zu bytes", sizes[i]);
        T_CHECK_ALIGNED(block, page);
        T_CHECK_ALIGNED(pages, page);
        size_t whole = (sizes[i] + page - 1) / page * page;
        T_CHECK(T_usable_size(pages) >= whole, "pvalloc(%zu) holds %zu bytes", sizes[i],
                T_usable_size(pages));
        memset(pages, 1, whole);
        T_free(block);
        T_free(pages);
    }
}

int main(void)
{
    T_RUN(every_small_size);
    T_RUN(sizes_around_powers_of_two);
    T_RUN(calloc_and_realloc_too);
    T_RUN(every_alignment_up_to_4_mib);
    T_RUN(realloc_of_an_aligned_block_keeps_content);
    T_RUN(posix_memalign_refuses_bad_alignments);
    T_RUN(odd_alignments_are_refused_or_rounded_up);
    T_RUN(impossible_alignments_are_refused);
    T_RUN(valloc_and_pvalloc_give_whole_pages);
    return 0;
}
