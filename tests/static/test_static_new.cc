// operator new and delete of a program that is linked with the static library.

#include "../cxx/new_forms.h"

int main()
{
    forms::all();
    return 0;
}
