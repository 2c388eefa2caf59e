// The end of the process. A SIGABRT handler may allocate, and may leave by longjmp: so the thread's locks are released.
#define _GNU_SOURCE
#include "os/die.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/lock.h"

_Atomic(os_before_end_t *) os_before_end;

// The data under these locks is consistent: misuse is detected before any change. A block in transit is lost.
static void let_go_of_all(void)
{
    os_before_end_t *before = atomic_load_explicit(&os_before_end, memory_order_acquire);
    if (before != NULL) before();
    os_unlock_all();
}

// ---- the last line

typedef struct last_line {
    size_t length;
    char text[192];
} last_line_t;

static void add_text(last_line_t *line, const char *text)
{
    for (; *text != '\0' && line->length < sizeof line->text; text++) line->text[line->length++] = *text;
}

static void add_number(last_line_t *line, size_t value, unsigned base)
{
    char digits[24], *first = digits + sizeof digits;
    *--first = '\0';
    do {
        *--first = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    add_text(line, first);
}

void hak_die_of_size(const char *what, const void *where, size_t size)
{
    last_line_t line = {.length = 0};
    add_text(&line, "hakmem: ");
    add_text(&line, what);
    add_text(&line, ": 0x");
    add_number(&line, (uintptr_t)where, 16);
    if (size > 0) {
        add_text(&line, ", class of ");
        add_number(&line, size, 10);
        add_text(&line, " bytes");
    }
    add_text(&line, "\n");
    // Not write(): it is a cancellation point and may end the thread instead.
    syscall(SYS_write, STDERR_FILENO, line.text, line.length);
    let_go_of_all();
    abort();
}

void hak_die(const char *what, const void *where)
{
    hak_die_of_size(what, where, 0);
}
