// Definitions shared by every C file: compiler attributes, pages, the largest request.
#ifndef HAK_TYPES_H
#define HAK_TYPES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define ALWAYS_INLINE static inline __attribute__((always_inline))

// Out of line, away from the hot code. Not `cold`: GCC then treats every path that leads to a call of it as cold, and
// moves the hit path of free out of the function.
#define COLD __attribute__((noinline, section(".text.unlikely")))
#define NOINLINE __attribute__((noinline))
#define HAK_EXPORT __attribute__((visibility("default")))

// A hit path begins at a cache line: elsewhere, free took three lines instead of two, and a load of small blocks 4 to 7%
// longer (median of 9 rounds in turn, Zen, loads replace and larson).
#define HAK_HOT_ENTRY __attribute__((aligned(64)))
#define HAK_TLS __thread // the variant's `tls` sets the access model, by a compiler flag

// Decrements the int32_t; true when the result is negative. One instruction sets the flags; compilers do not find it
// for a thread-local address.
#if defined(__x86_64__) && defined(__GCC_ASM_FLAG_OUTPUTS__) && HAKMEM_BUILD_RELEASE
#define HAK_COUNT_DOWN(lvalue) \
    (__extension__({ \
        bool hak_below; \
        __asm__("subl $1, %1" : "=@ccs"(hak_below), "+m"(lvalue)); \
        hak_below; \
    }))
#else
#define HAK_COUNT_DOWN(lvalue) (--(lvalue) < 0)
#endif

// Hides the value's origin from the compiler, so that computations on it are not moved before this point.
#define HAK_OPAQUE(value) \
    (__extension__({ \
        __typeof__(value) hak_opaque = (value); \
        __asm__("" : "+r"(hak_opaque)); \
        hak_opaque; \
    }))

// A store before this is visible no later than a store after it, as seen by the child of a fork, which gets the memory
// as it was at one instant. It costs no instruction.
#define HAK_WRITTEN() atomic_signal_fence(memory_order_release)

// page: 64 KiB of addresses, the unit of the registry; not the page of the MMU, which is OS_PAGE of os.h.
#define HAK_PAGE_SHIFT 16
#define HAK_PAGE ((size_t)1 << HAK_PAGE_SHIFT)

// Width of user-space addresses: mmap returns higher ones only if a hint requests them.
#if defined(__x86_64__)
#define HAK_ADDRESS_BITS 47
#else
#define HAK_ADDRESS_BITS 48
#endif

// The largest request that an address space can hold. A larger one is refused first.
#define HAK_MAX_REQUEST (((size_t)1 << HAK_ADDRESS_BITS) - HAK_PAGE)

static inline size_t hak_round_up(size_t n, size_t power_of_two)
{
    return (n + power_of_two - 1) & ~(power_of_two - 1);
}

#endif
