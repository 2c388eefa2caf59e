// A program that replaces operator new and delete: the forms that it does not replace call its own.

#include "new_forms.h"

#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wsized-deallocation" // the point of this program
#endif

// Each block begins with a word that the allocator does not know: a delete that bypasses the replacement is detected at
// once.
static const std::size_t mark = 0x6d61726b;
static int live, made;

void *operator new(std::size_t size)
{
    auto *block = static_cast<std::size_t *>(std::malloc(size + 16));
    if (block == nullptr) throw std::bad_alloc();
    *block = mark;
    live++;
    made++;
    return block + 2;
}

void operator delete(void *pointer) noexcept
{
    if (pointer == nullptr) return;
    auto *block = static_cast<std::size_t *>(pointer) - 2;
    CHECK(*block == mark, "operator delete was given a block that operator new did not make");
    *block = 0;
    live--;
    std::free(block);
}

int main()
{
    ::operator delete(forms::hidden(::operator new(40)), std::size_t(40));
    ::operator delete[](forms::hidden(::operator new[](40)));
    ::operator delete[](forms::hidden(::operator new[](40)), std::size_t(40));
    ::operator delete(forms::hidden(::operator new(40, std::nothrow)), std::nothrow);
    ::operator delete[](forms::hidden(::operator new[](40, std::nothrow)), std::nothrow);
    delete[] forms::hidden(new std::string[20]);
    CHECK(made == 6, "a form of new went past the program's own");
    CHECK(live == 0, "a form of delete went past the program's own");
    forms::expressions_and_containers();
    CHECK(live == 0, "containers left blocks in use");
    return 0;
}
