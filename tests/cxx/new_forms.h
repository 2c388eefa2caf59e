// operator new and delete in every form: which library serves them, and what happens without memory. For C++.
//
// Included by the programs that are linked with the shared library, with the static one, and preloaded.
// Exit status: 0 passed, 1 failed (`file:line: what` on stderr).
#ifndef NEW_FORMS_H
#define NEW_FORMS_H

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <malloc.h>
#include <map>
#include <new>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#define CHECK(condition, what) \
    do { \
        if (!(condition)) { \
            std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, (what)); \
            _exit(1); \
        } \
    } while (0)

#ifndef __cpp_sized_deallocation // clang before 19 declares them only with an option
void operator delete(void *, std::size_t) noexcept;
void operator delete[](void *, std::size_t) noexcept;
void operator delete(void *, std::size_t, std::align_val_t) noexcept;
void operator delete[](void *, std::size_t, std::align_val_t) noexcept;
#endif

namespace forms
{

// Ends the test as "not run" if operator new is part of the program: some compilers link the C++ library statically, and
// then no library can replace it. Such a program need not export it, so only its own address of the function tells.
inline void require_replaceable(const void *in_program)
{
    void *(*const plain)(std::size_t) = &::operator new;
    Dl_info of_new, of_program;
    CHECK(dladdr(reinterpret_cast<const void *>(plain), &of_new) && dladdr(in_program, &of_program),
          "operator new is not found");
    if (of_new.dli_fbase != of_program.dli_fbase) return;
    std::puts("not run: the compiler links the C++ library statically, with an operator new of its own");
    std::exit(77);
}

// More than any machine has; the compiler itself rejects larger sizes.
constexpr std::size_t too_much = SIZE_MAX / 2 - 100;

// Hides the pointer: the compiler may remove a pair of new and delete that it sees.
template <typename T> T *hidden(T *pointer)
{
    __asm__ volatile("" : "+r"(pointer) : : "memory");
    return pointer;
}

inline std::size_t hidden(std::size_t size)
{
    __asm__ volatile("" : "+r"(size));
    return size;
}

// A block of the allocator under test has at least the requested size and is writable.
inline void *use(void *block, std::size_t size, std::size_t alignment)
{
    block = hidden(block);
    CHECK(block != nullptr, "no memory");
    CHECK(reinterpret_cast<std::uintptr_t>(block) % alignment == 0, "a block is not aligned");
    CHECK(malloc_usable_size(block) >= size, "a block is no block of this malloc, or too small");
    std::memset(block, 0x5a, size);
    return block;
}

inline void plain_sized_and_nothrow()
{
    for (std::size_t size : {1, 8, 16, 100, 1024, 1025, 5000, 100000, 1 << 20, 3 << 20}) {
        ::operator delete(use(::operator new(size), size, 16));
        ::operator delete[](use(::operator new[](size), size, 16));
        ::operator delete(use(::operator new(size), size, 16), size);
        ::operator delete[](use(::operator new[](size), size, 16), size);
        ::operator delete(use(::operator new(size, std::nothrow), size, 16), std::nothrow);
        ::operator delete[](use(::operator new[](size, std::nothrow), size, 16), std::nothrow);
    }
    ::operator delete(use(::operator new(0), 0, 1));
    ::operator delete(nullptr);
    ::operator delete[](nullptr, std::size_t(8));
}

inline void aligned()
{
    for (std::size_t power = 8; power <= 1 << 21; power *= 2) {
        std::align_val_t alignment{power};
        for (std::size_t size : {std::size_t(1), std::size_t(100), std::size_t(5000), power}) {
            ::operator delete(use(::operator new(size, alignment), size, power), alignment);
            ::operator delete[](use(::operator new[](size, alignment), size, power), alignment);
            ::operator delete(use(::operator new(size, alignment), size, power), size, alignment);
            ::operator delete[](use(::operator new[](size, alignment), size, power), size, alignment);
            ::operator delete(use(::operator new(size, alignment, std::nothrow), size, power), alignment,
                              std::nothrow);
            ::operator delete[](use(::operator new[](size, alignment, std::nothrow), size, power), alignment,
                                std::nothrow);
        }
    }
}

struct alignas(256) wide {
    char bytes[300];
};

inline void expressions_and_containers()
{
    delete hidden(new int(7));
    delete[] hidden(new std::string[50]);
    wide *one = hidden(new wide), *many = hidden(new wide[9]);
    use(one, sizeof *one, 256);
    use(many, 9 * sizeof *many, 256);
    delete one;
    delete[] many;
    std::map<std::string, std::vector<int>> map;
    for (int i = 0; i < 2000; i++) map[std::to_string(i % 300)].push_back(i);
    std::thread other([&map] { map.clear(); });
    other.join();
    CHECK(map.empty(), "a container that another thread has emptied is not empty");
}

// ---- without memory

template <typename Call> bool throws_bad_alloc(Call call)
{
    try {
        call();
    } catch (const std::bad_alloc &) {
        return true;
    }
    return false;
}

inline void refused_requests_throw()
{
    std::align_val_t wide_alignment{64};
    CHECK(throws_bad_alloc([] { hidden(::operator new(hidden(too_much))); }), "new did not throw");
    CHECK(throws_bad_alloc([] { hidden(::operator new[](hidden(too_much))); }), "new[] did not throw");
    CHECK(throws_bad_alloc([=] { hidden(::operator new(hidden(too_much), wide_alignment)); }),
          "aligned new did not throw");
    CHECK(throws_bad_alloc([=] { hidden(::operator new[](hidden(too_much), wide_alignment)); }),
          "aligned new[] did not throw");
    CHECK(hidden(::operator new(hidden(too_much), std::nothrow)) == nullptr, "nothrow new gave a block");
    CHECK(hidden(::operator new[](hidden(too_much), std::nothrow)) == nullptr, "nothrow new[] gave a block");
    CHECK(hidden(::operator new(hidden(too_much), wide_alignment, std::nothrow)) == nullptr,
          "nothrow aligned new gave a block");
    ::operator delete(use(::operator new(100), 100, 16));
}

static int handler_calls;

inline void gives_up_at_the_third_call()
{
    if (++handler_calls == 3) std::set_new_handler(nullptr);
}

inline void throws_at_once()
{
    handler_calls++;
    throw std::bad_alloc();
}

inline void the_handler_is_called_until_it_gives_up()
{
    handler_calls = 0;
    std::set_new_handler(gives_up_at_the_third_call);
    CHECK(throws_bad_alloc([] { hidden(::operator new(hidden(too_much))); }), "new did not throw");
    CHECK(handler_calls == 3, "the new_handler was not called three times");
    handler_calls = 0;
    std::set_new_handler(gives_up_at_the_third_call);
    CHECK(hidden(::operator new(hidden(too_much), std::nothrow)) == nullptr, "nothrow new gave a block");
    CHECK(handler_calls == 3, "nothrow new did not call the new_handler three times");
}

// An exception of the handler reaches the caller of new; nothrow new returns a null pointer instead.
inline void a_handler_may_throw()
{
    handler_calls = 0;
    std::set_new_handler(throws_at_once);
    CHECK(throws_bad_alloc([] { hidden(::operator new(hidden(too_much))); }), "new did not throw");
    CHECK(hidden(::operator new(hidden(too_much), std::nothrow)) == nullptr, "nothrow new gave a block");
    CHECK(handler_calls == 2, "the new_handler was not called for each request");
    std::set_new_handler(nullptr);
}

// ---- a size that is wrong

// How a child ends that does this, as waitpid has it.
template <typename Call> int end_of_child(Call call)
{
    pid_t child = fork();
    CHECK(child >= 0, "no child");
    if (child == 0) {
        close(STDERR_FILENO); // the line that the allocator dies with is no failure of ours
        call();
        _exit(0);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child, "the child is gone");
    return status;
}

// With every check, each sized form knows the requested size.
inline void a_wrong_size_is_noticed()
{
#if T_CHECKS >= 2
    std::align_val_t alignment{64};
    for (int status : {
             end_of_child([] { ::operator delete(use(::operator new(300), 300, 16), std::size_t(100)); }),
             end_of_child([] { ::operator delete[](use(::operator new[](300), 300, 16), std::size_t(100)); }),
             end_of_child([=] {
                 ::operator delete(use(::operator new(300, alignment), 300, 64), std::size_t(100), alignment);
             }),
             end_of_child([=] {
                 ::operator delete[](use(::operator new[](300, alignment), 300, 64), std::size_t(100),
                                     alignment);
             }),
         })
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT,
              "a sized delete has not noticed a wrong size");
#endif
}

inline void all()
{
    plain_sized_and_nothrow();
    aligned();
    expressions_and_containers();
    refused_requests_throw();
    the_handler_is_called_until_it_gives_up();
    a_handler_may_throw();
    a_wrong_size_is_noticed();
}

} // namespace forms

#endif
