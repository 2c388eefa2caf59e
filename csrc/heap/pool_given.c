// Pages that become inaccessible together.
#include "heap/pool_given.h"

#include "os/os.h"

#if TINY_CHECKS >= TINY_CHECKS_FULL

#define GIVEN_PAGES 16u

// Returns the row from the first given page to the last one before which all others are given or inaccessible already.
static uint32_t row_of_given(const superslab_t *superslab)
{
    uint32_t may_be_hidden = superslab->given | (superslab->free & ~superslab->shown);
    unsigned first = (unsigned)__builtin_ctz(superslab->given);
    unsigned most = (unsigned)__builtin_ctzll(~((uint64_t)may_be_hidden >> first));
    uint32_t given = superslab->given & row_at(first, most);
    return row_at(first, SUPERSLAB_PAGES - (unsigned)__builtin_clz(given) - first);
}

// Pages that the system does not hide stay accessible.
void pool_given_hide(void)
{
    superslab_t *superslab = hak_pool.given_by;
    while (superslab != NULL && superslab->given != 0) {
        uint32_t row = row_of_given(superslab);
        char *start = superslab->start + (unsigned)__builtin_ctz(row) * HAK_PAGE;
        if (os_hide(start, (unsigned)__builtin_popcount(row) * HAK_PAGE)) pool_count_hidden(superslab, row);
        superslab->given &= ~row;
    }
    hak_pool.given_by = NULL;
}

void pool_given_add(superslab_t *superslab, uint32_t pages)
{
    if (hak_pool.given_by != superslab) pool_given_hide();
    hak_pool.given_by = superslab;
    superslab->given |= pages;
    if ((unsigned)__builtin_popcount(superslab->given) >= GIVEN_PAGES) pool_given_hide();
}

void pool_given_remove(superslab_t *superslab, uint32_t pages)
{
    superslab->given &= ~pages;
}

#else

void pool_given_hide(void)
{
}

void pool_given_remove(superslab_t *superslab, uint32_t pages)
{
    (void)superslab;
    (void)pages;
}

#endif
