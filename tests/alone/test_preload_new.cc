// operator new and delete of a program that is not linked with the library, with the library preloaded.

#include "../cxx/new_forms.h"
#include "preload.h"

static void in_program()
{
} // a place in the program

int main(int, char **argv)
{
    preload_library(argv);
    forms::require_replaceable(reinterpret_cast<const void *>(&in_program));
    forms::all();
    return 0;
}
