// The mask of canaries, and the fill of small blocks with AVX2.
#include "hardened/canary.h"

#if TINY_CHECKS >= TINY_CHECKS_FULL

#define FOUR 0xff, 0xff, 0xff, 0xff
#define SIXTEEN FOUR, FOUR, FOUR, FOUR
#define SIXTY_FOUR SIXTEEN, SIXTEEN, SIXTEEN, SIXTEEN
_Static_assert(CANARY_MASK == 64, "the mask's second half is filled");
const unsigned char canary_mask[2 * CANARY_MASK] = {
    [CANARY_MASK] = SIXTY_FOUR,
};

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

bool canary_is_wide;

#define WIDE __attribute__((target("avx2")))
#define LINES (CANARY_SMALL_FILL / CANARY_LINE)

// Two lanes are a line of 64 bytes. The lines that a block does not have are its last one.
static inline __m256i_u *line_at(const char *start, const char *end, unsigned i)
{
    const char *line = start + i * CANARY_LINE, *last = end - CANARY_LINE;
    return (__m256i_u *)(uintptr_t)(line < last ? line : last);
}

WIDE void canary_fill_wide(char *start, const char *end)
{
    const __m256i fill = _mm256_set1_epi64x((long long)CANARY_FILL);
#pragma GCC unroll 4
    for (unsigned i = 0; i < LINES; i++) {
        __m256i_u *line = line_at(start, end, i);
        _mm256_storeu_si256(line, fill);
        _mm256_storeu_si256(line + 1, fill);
    }
}

WIDE bool canary_is_filled_wide(const char *start, const char *end)
{
    const __m256i fill = _mm256_set1_epi64x((long long)CANARY_FILL);
    __m256i first = _mm256_setzero_si256(), second = first;
#pragma GCC unroll 4
    for (unsigned i = 0; i < LINES; i++) {
        const __m256i_u *line = line_at(start, end, i);
        first = _mm256_or_si256(first, _mm256_xor_si256(fill, _mm256_loadu_si256(line)));
        second = _mm256_or_si256(second, _mm256_xor_si256(fill, _mm256_loadu_si256(line + 1)));
    }
    const __m256i differences = _mm256_or_si256(first, second);
    return _mm256_testz_si256(differences, differences);
}

// The system has to save the wide registers, too.
static bool system_saves_wide(void)
{
    enum { SSE_AND_AVX = 6 };
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & SSE_AND_AVX) == SSE_AND_AVX;
}

// Until it runs, and without AVX2, blocks are filled in steps of 16 bytes.
__attribute__((constructor(101))) static void look_for_wide(void)
{
    unsigned a, b, c, d;
    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_OSXSAVE) == 0 || !system_saves_wide()) return;
    canary_is_wide = __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & bit_AVX2) != 0;
}

#endif

#else
typedef int canary_is_compiled_out; // ISO C requires a declaration in every file
#endif
