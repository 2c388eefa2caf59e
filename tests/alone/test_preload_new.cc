// operator new and delete of a program that is not linked with the library, with the library preloaded.

#include "../cxx/new_forms.h"
#include "preload.h"

int main(int, char **argv)
{
    preload_library(argv);
    forms::all();
    return 0;
}
