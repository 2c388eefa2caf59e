// Blocks in a list that is linked through them: a table would occupy memory that stays.
#ifndef TEST_LIST_H
#define TEST_LIST_H

#include "test.h"

struct node {
    struct node *next;
};

// Writes to the block's first word only.
static T_UNUSED struct node *list_push(struct node *list, size_t size)
{
    struct node *node = T_must_malloc(size);
    node->next = list;
    return node;
}

static T_UNUSED struct node *list_of(size_t size, size_t bytes)
{
    struct node *list = NULL;
    for (size_t got = 0; got < bytes; got += size) list = list_push(list, size);
    return list;
}

static T_UNUSED void list_free(struct node *list)
{
    while (list != NULL) {
        struct node *next = list->next;
        T_free(list);
        list = next;
    }
}

#endif
