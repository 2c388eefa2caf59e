// text: a line that is put together without stdio, which may allocate and buffers behind our back.
//
// What does not fit is left out.
#ifndef HAK_TEXT_H
#define HAK_TEXT_H

#include "hak_types.h"

typedef struct hak_text {
    char bytes[192];
    size_t length;
} hak_text_t;

void hak_text_add(hak_text_t *text, const char *words);

// Blanks up to this column, one at least.
void hak_text_column(hak_text_t *text, size_t column);

// In decimal, with blanks in front where it has fewer than `width` digits.
void hak_text_number(hak_text_t *text, size_t number, size_t width);

// To stderr, at once; the text is empty afterwards.
void hak_text_write(hak_text_t *text);

#endif
