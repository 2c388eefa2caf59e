// Lines of text without stdio: words and decimal numbers in columns, written to stderr.
#define _GNU_SOURCE
#include "debug/text.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

static void add_byte(hak_text_t *text, char byte)
{
    if (text->length < sizeof text->bytes) text->bytes[text->length++] = byte;
}

void hak_text_add(hak_text_t *text, const char *words)
{
    for (; *words != '\0'; words++) add_byte(text, *words);
}

void hak_text_column(hak_text_t *text, size_t column)
{
    do add_byte(text, ' ');
    while (text->length < column && text->length < sizeof text->bytes);
}

void hak_text_number(hak_text_t *text, size_t number, size_t width)
{
    char digits[20]; // of the largest 64-bit number
    size_t count = 0;
    do digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    for (size_t blanks = count; blanks < width; blanks++) add_byte(text, ' ');
    while (count > 0) add_byte(text, digits[--count]);
}

void hak_text_write(hak_text_t *text)
{
    int saved = errno;
    syscall(SYS_write, STDERR_FILENO, text->bytes, text->length); // write() is a cancellation point
    errno = saved;
    text->length = 0;
}
