// Shared ground of every C file: compiler words, invariants, locks' and blocks' types.
#ifndef HAK_TYPES_H
#define HAK_TYPES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define ALWAYS_INLINE static inline __attribute__((always_inline))

// Out of line, away from the hot code. Not `cold`: GCC then takes every path that leads to a call of it for cold too,
// and moves a free's hit path out of the function.
#define COLD __attribute__((noinline, section(".text.unlikely")))
#define HAK_EXPORT __attribute__((visibility("default")))
#define HAK_TLS __thread // how it is reached is the variant's `tls`, a flag of the compiler

// Takes one off the int32_t; true when it is below zero then. In one instruction and its flags, which compilers do not
// find by themselves where the address is a thread's.
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

// The value, of which the compiler knows nothing: what is computed from it is not computed before.
#define HAK_OPAQUE(value) \
    (__extension__({ \
        __typeof__(value) hak_opaque = (value); \
        __asm__("" : "+r"(hak_opaque)); \
        hak_opaque; \
    }))

// What was written before this is in memory before what is written after it, for whoever finds the thread's memory as it
// was at an instant: the child of a fork. It costs no instruction.
#define HAK_WRITTEN() atomic_signal_fence(memory_order_release)

// page: 64 KiB of addresses, the unit of the registry; not the page of the MMU, which is OS_PAGE.
#define HAK_PAGE_SHIFT 16
#define HAK_PAGE ((size_t)1 << HAK_PAGE_SHIFT)

// The MMU's page in bytes, as the system reports it at start: a power of two, from 4 KiB to HAK_PAGE.
#define OS_PAGE os_page()
extern _Atomic(size_t) os_page_known; // 0 until the first request
size_t os_find_page(void) COLD;

ALWAYS_INLINE size_t os_page(void)
{
    size_t page = atomic_load_explicit(&os_page_known, memory_order_relaxed);
    return LIKELY(page != 0) ? page : os_find_page();
}

// Addresses of a program: mmap gives none beyond, unless it is asked for them by a hint.
#if defined(__x86_64__)
#define HAK_ADDRESS_BITS 47
#else
#define HAK_ADDRESS_BITS 48
#endif

// The largest request that an address space could hold. Larger ones are refused before anything is done for them.
#define HAK_MAX_REQUEST (((size_t)1 << HAK_ADDRESS_BITS) - HAK_PAGE)

static inline size_t hak_round_up(size_t n, size_t power_of_two)
{
    return (n + power_of_two - 1) & ~(power_of_two - 1);
}

// One line on stderr, then abort. Allocates nothing. `what` is a short phrase such as "double free".
_Noreturn void hak_die(const char *what, const void *where) COLD;
// The same, with the size in bytes of the blocks that there are at the place.
_Noreturn void hak_die_of_size(const char *what, const void *where, size_t size) COLD;

// An invariant of the allocator itself; checked in debug builds only.
#if HAKMEM_BUILD_RELEASE
#define HAK_CHECK(condition, what, where) ((void)0)
#else
#define HAK_CHECK(condition, what, where) (LIKELY(condition) ? (void)0 : hak_die(what, where))
#endif

#endif
