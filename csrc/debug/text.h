// text: a line that is built without stdio, which may allocate and buffer.
//
// Text that does not fit is cut off.
#ifndef HAK_TEXT_H
#define HAK_TEXT_H

#include "os/hak_types.h"

typedef struct hak_text {
    char bytes[192];
    size_t length;
} hak_text_t;

void hak_text_add(hak_text_t *text, const char *words);

// Adds blanks up to this column, at least one.
void hak_text_column(hak_text_t *text, size_t column);

// Adds the number in decimal, padded on the left to `width` characters.
void hak_text_number(hak_text_t *text, size_t number, size_t width);

// Writes the text to stderr and empties it.
void hak_text_write(hak_text_t *text);

#endif
