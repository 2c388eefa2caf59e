// With full checks: the state of tiny blocks, stored apart from them in their page's notes.
//
// note: 0 if the block was never allocated, else freed, or the requested size. So it is known which blocks are allocated
// and where their canaries begin, even if the program wrote beyond a block.
#ifndef TINY_NOTES_H
#define TINY_NOTES_H

#include "registry/tiny_registry.h"

// Marks the block as allocated with this requested size; returns the size of its memory.
size_t tiny_notes_set(char *block, size_t asked);

// Returns the requested size; ends the process with the message `misuse` if the block is not allocated.
size_t tiny_notes_asked(const void *block, const char *misuse);

// Marks the block as freed and returns its requested size. Ends the process if it is not allocated, or if the post
// before it is damaged. *size becomes the size of its memory.
size_t tiny_notes_claim(void *block, size_t *size);

// Checks a block that the layers return: ends the process if it is allocated, or was written to since it was freed.
void tiny_notes_check_free(char *block);

#endif
