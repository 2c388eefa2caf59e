// Registry: what lies at an address, for any address; and the tag map, whose entries are shared.

#include "inside.h"

#include "registry/tiny_registry.h"

enum { OWNER = 60001, OTHER = 60002 };

// These addresses are never mapped: the registry uses addresses only.
#define SOMEWHERE ((char *)0x123400000000)
#define SAME_ENTRY ((size_t)1 << 34)

static bool owns(unsigned owner, const char *block)
{
    return tiny_own_class(block, TINY_OWN_TAG(owner)) < TINY_CLASSES;
}

static void any_address_can_be_looked_up(void)
{
    int on_stack;
    static int fixed;
    const void *foreign[] = {NULL,
                             (void *)1,
                             &on_stack,
                             &fixed,
                             (void *)0x7fffffffffff,
                             (void *)UINTPTR_MAX,
                             (void *)((uintptr_t)1 << 48),
                             (void *)((uintptr_t)1 << 63)};
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        T_CHECK(tiny_registry_tag(foreign[i]) == 0, "%p has a tag", foreign[i]);
        T_CHECK(!owns(OWNER, foreign[i]), "%p is owned", foreign[i]);
        T_CHECK(tiny_class_in_map(foreign[i]) == TINY_CLASSES, "%p has a class", foreign[i]);
    }
}

static void a_tag_is_that_of_its_page_alone(void)
{
    T_CHECK(tiny_registry_reserve(SOMEWHERE, 4 * HAK_PAGE), "no records");
    char *page = SOMEWHERE + HAK_PAGE;
    for (unsigned class = 0; class < TINY_CLASSES; class++) {
        tiny_tag_t tag = TINY_TAG(OWNER, class);
        tiny_registry_set(page, tag);
        T_CHECK(tiny_registry_tag(page) == tag, "the first byte has another tag");
        T_CHECK(tiny_registry_tag(page + HAK_PAGE - 1) == tag, "the last byte has another tag");
        T_CHECK(tiny_registry_tag(page - 1) == 0 && tiny_registry_tag(page + HAK_PAGE) == 0,
                "a neighbour has a tag");
        T_CHECK(tiny_own_class(page + 64, TINY_OWN_TAG(OWNER)) == class, "class %u is not found", class);
        T_CHECK(!owns(OTHER, page), "another owner owns it");
        T_CHECK(tiny_class_in_map(page + 64) == class, "class %u is not found without its owner", class);
        T_CHECK(T_CHECKS == 0 || tiny_class_in_map(page + 65) == TINY_CLASSES,
                "a misaligned address has a class");
    }
    tiny_registry_set(page, 0);
    T_CHECK(tiny_registry_tag(page) == 0 && !owns(OWNER, page), "a tag that was taken out is there");
}

static void a_page_that_is_no_slab_has_no_owner(void)
{
    tiny_registry_set(SOMEWHERE, TINY_TAG(0, TINY_KIND_ARENA));
    T_CHECK(tiny_registry_tag(SOMEWHERE) == TINY_TAG(0, TINY_KIND_ARENA), "the kind is lost");
    T_CHECK(!owns(OWNER, SOMEWHERE) && tiny_class_in_map(SOMEWHERE) == TINY_CLASSES, "it has an owner");
    tiny_registry_set(SOMEWHERE, 0);
}

// The two pages share an entry of the map. The later one is in it, the other is found in the leaf; removing that one
// leaves the entry unchanged.
static void pages_far_apart_do_not_take_each_others_place(void)
{
    char *first = SOMEWHERE, *second = SOMEWHERE + SAME_ENTRY;
    T_CHECK(tiny_registry_reserve(second, HAK_PAGE), "no records");
    tiny_registry_set(first, TINY_TAG(OWNER, 1));
    tiny_registry_set(second, TINY_TAG(OWNER, 2));
    T_CHECK(tiny_registry_tag(first) == TINY_TAG(OWNER, 1), "the first tag is lost");
    T_CHECK(tiny_registry_tag(second) == TINY_TAG(OWNER, 2), "the second tag is lost");
    T_CHECK(!owns(OWNER, first), "the loser of the entry is found in it");
    T_CHECK(tiny_class_in_map(first) == TINY_CLASSES && tiny_class_in_map(second) == 2,
            "the classes are swapped");
    T_CHECK(tiny_own_class(second, TINY_OWN_TAG(OWNER)) == 2, "the winner is not");
    tiny_registry_set(first, 0);
    T_CHECK(tiny_own_class(second, TINY_OWN_TAG(OWNER)) == 2, "the winner went with the loser");
    tiny_registry_set(second, 0);
    T_CHECK(!owns(OWNER, second), "an entry is left over");
}

static void records_lie_apart_and_across_leaves(void)
{
    char *border = (char *)(((uintptr_t)SOMEWHERE | UINT32_MAX) + 1);
    T_CHECK(tiny_registry_reserve(border - 2 * HAK_PAGE, 4 * HAK_PAGE), "no records");
    for (int i = -2; i < 2; i++) {
        tiny_slab_t *record = tiny_registry_record(border + i * (ptrdiff_t)HAK_PAGE);
        record->start = border + i;
        for (int j = -2; j < i; j++)
            T_CHECK(tiny_registry_record(border + j * (ptrdiff_t)HAK_PAGE)->start == border + j,
                    "two pages share a record");
    }
}

static void addresses_beyond_the_tables_cannot_be_reserved(void)
{
    T_CHECK(!tiny_registry_reserve((void *)((uintptr_t)1 << 48), HAK_PAGE), "2^48 was reserved");
}

int main(void)
{
    T_RUN(any_address_can_be_looked_up);
    T_RUN(a_tag_is_that_of_its_page_alone);
    T_RUN(a_page_that_is_no_slab_has_no_owner);
    T_RUN(pages_far_apart_do_not_take_each_others_place);
    T_RUN(records_lie_apart_and_across_leaves);
    T_RUN(addresses_beyond_the_tables_cannot_be_reserved);
    return 0;
}
