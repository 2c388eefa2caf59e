// Diagnostic output: formats into a buffer on the stack and writes it to stderr, so it never allocates.
#define _GNU_SOURCE
#include "debug/messages.h"

#if HAKMEM_DEBUG_OUTPUT

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

bool hak_debug_on;

void hak_debug_init(void)
{
    const char *wanted = secure_getenv("HAKMEM_DEBUG");
    hak_debug_on = wanted != NULL && wanted[0] != '\0' && wanted[0] != '0';
}

void hak_debug_print(const char *format, ...)
{
    char line[512];
    int saved = errno;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (length > 0) {
        size_t bytes = (size_t)length < sizeof line ? (size_t)length : sizeof line - 1;
        syscall(SYS_write, STDERR_FILENO, line, bytes); // write() is a cancellation point, malloc is not
    }
    errno = saved;
}

#else
typedef int hak_debug_is_compiled_out; // ISO C requires a declaration in every file
#endif
