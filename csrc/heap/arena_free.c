// Free runs: good-fit search over segregated lists, eight lists a doubling; and generations of runs freed at about the
// same time.
//
// The lists are those of TLSF (Masmano et al., "TLSF: a New Dynamic Memory Allocator for Real-Time Systems", 2004).
#include "heap/arena_free.h"

#include "os/die.h"
#include "os/os.h"

#define LISTS 105u // page_arena_list_of(PAGE_ARENA_CHUNK / 128) + 1, the maximum

// Generations span decay_ms / 8 each. Runs shorter than PURGEABLE_UNITS may contain no whole page of the MMU and are
// never purged.
#define GENERATIONS 16u
#define PURGEABLE_UNITS (PAGE_ARENA_UNIT >= OS_PAGE ? 1u : 2u * OS_PAGE / PAGE_ARENA_UNIT)

#define ALIGNED_LOOKS 4u // runs checked in each list for an aligned address

// Bit n of `occupied` is 1 <=> list[n] != NULL. dirty_units = the sum of age.dirty over all generations.
static struct {
    char *list[LISTS];
    uint64_t occupied[(LISTS + 63) / 64];
    char *generation[GENERATIONS];
    size_t runs;
    size_t dirty_units;
} all;

static void set_bit(uint64_t *map, uint32_t bit)
{
    map[bit / 64] |= (uint64_t)1 << (bit % 64);
}

static void clear_bit(uint64_t *map, uint32_t bit)
{
    map[bit / 64] &= ~((uint64_t)1 << (bit % 64));
}

static arena_node_t *node_of(const char *run)
{
    if (!ARENA_NODES_APART) return (arena_node_t *)(uintptr_t)run;
    arena_chunk_t *chunk = arena_chunk_of(run);
    return &chunk->node[arena_unit_of(chunk, run)];
}

static char *linked(const uintptr_t *link)
{
    return tiny_decode(*link, link);
}

static void set_link(uintptr_t *link, const char *run)
{
    *link = tiny_encode(run, link);
}

static uint32_t length_of(const char *run)
{
    const arena_chunk_t *chunk = arena_chunk_of(run);
    return chunk->length[arena_unit_of(chunk, run)];
}

// ---- by age

static unsigned generation_of(uint32_t time)
{
    uint32_t span = (uint32_t)TINY_OPTION_DECAY_MS / 8;
    return time / (span > 0 ? span : 1) % GENERATIONS;
}

// A completely free chunk can be returned to the system even if it holds no memory.
static void add_by_age(char *run, arena_node_t *node, uint32_t units)
{
    node->is_aged = units >= PURGEABLE_UNITS && (node->age.dirty > 0 || units == ARENA_CHUNK_UNITS);
    if (!node->is_aged) return;
    all.dirty_units += node->age.dirty;
    node->generation = (uint8_t)generation_of(node->age.freed_at);
    char **first = &all.generation[node->generation];
    set_link(&node->younger, NULL);
    set_link(&node->older, *first);
    if (*first != NULL) set_link(&node_of(*first)->younger, run);
    *first = run;
}

static void remove_by_age(const arena_node_t *node)
{
    if (!node->is_aged) return;
    all.dirty_units -= node->age.dirty;
    char *younger = linked(&node->younger), *older = linked(&node->older);
    if (younger != NULL) set_link(&node_of(younger)->older, older);
    else all.generation[node->generation] = older;
    if (older != NULL) set_link(&node_of(older)->younger, younger);
}

// Generations recur after GENERATIONS spans, so the visitor decides by each run's own age.
void arena_free_visit_oldest(uint32_t now, arena_free_visit_t *visit, void *context)
{
    for (unsigned i = 1; i <= GENERATIONS; i++) {
        char *run = all.generation[(generation_of(now) + i) % GENERATIONS];
        while (run != NULL) {
            const arena_node_t *node = node_of(run);
            char *older = linked(&node->older);
            if (!visit(context, run, &node->age)) return;
            run = older;
        }
    }
}

// ---- by size

void arena_free_add(arena_chunk_t *chunk, uint32_t first, uint32_t units, arena_age_t age)
{
    unsigned index = page_arena_list_of(units);
    char *run = arena_address_of(chunk, first);
    arena_node_t *node = node_of(run);
    if (age.dirty > units) age.dirty = units; // which part of the run is dirty is not recorded
    node->age = age;
    set_link(&node->previous, NULL);
    set_link(&node->next, all.list[index]);
    if (all.list[index] != NULL) set_link(&node_of(all.list[index])->previous, run);
    all.list[index] = run;
    add_by_age(run, node, units);
    canary_set_post(arena_address_of(chunk, first + units));
    set_bit(all.occupied, index);
    all.runs++;
    set_bit(chunk->free_edge, first);
    set_bit(chunk->free_edge, first + units - 1);
    chunk->length[first] = chunk->length[first + units - 1] = (uint16_t)units;
}

arena_age_t arena_free_remove(arena_chunk_t *chunk, uint32_t first, uint32_t units)
{
    unsigned index = page_arena_list_of(units);
    char *run = arena_address_of(chunk, first);
    arena_node_t *node = node_of(run);
    char *next = linked(&node->next), *previous = linked(&node->previous);
    if (UNLIKELY((next != NULL && linked(&node_of(next)->previous) != run) ||
                 (previous != NULL ? linked(&node_of(previous)->next) != run : all.list[index] != run)))
        hak_die("corrupted heap: a free run was written to", run);
    if (next != NULL) set_link(&node_of(next)->previous, previous);
    if (previous != NULL) set_link(&node_of(previous)->next, next);
    else all.list[index] = next;
    remove_by_age(node);
    if (all.list[index] == NULL) clear_bit(all.occupied, index);
    all.runs--;
    clear_bit(chunk->free_edge, first);
    clear_bit(chunk->free_edge, first + units - 1);
    return node->age;
}

// ---- finding

// Returns the first non-empty list from `index` on; LISTS if there is none.
static unsigned occupied_from(unsigned index)
{
    for (unsigned word = index / 64; word < sizeof all.occupied / sizeof *all.occupied; word++) {
        uint64_t occupied = all.occupied[word];
        if (word == index / 64) occupied &= ~(uint64_t)0 << (index % 64);
        if (occupied != 0) return word * 64 + (unsigned)__builtin_ctzll(occupied);
    }
    return LISTS;
}

// The head of the exact list may fit and wastes less; every run of the later lists fits.
static char *find_run(uint32_t units)
{
    char *run = all.list[page_arena_list_of(units)];
    if (run != NULL && length_of(run) >= units) return run;
    unsigned index = page_arena_list_that_fits(units);
    if (index < LISTS) index = occupied_from(index);
    return index < LISTS ? all.list[index] : NULL;
}

uint32_t arena_free_skipped(const char *run, size_t alignment)
{
    return page_arena_units_for(hak_round_up((uintptr_t)run, alignment) - (uintptr_t)run);
}

// Searches runs that are too short to hold the block at any address, a few per list, for one whose address happens to
// suit.
static char *find_aligned_hole(uint32_t units, uint32_t slack, size_t alignment)
{
    unsigned end = page_arena_list_that_fits(units + slack);
    for (unsigned index = occupied_from(page_arena_list_of(units)); index < end && index < LISTS;
         index = occupied_from(index + 1)) {
        char *run = all.list[index];
        for (unsigned looks = ALIGNED_LOOKS; looks > 0 && run != NULL; looks--) {
            if (arena_free_skipped(run, alignment) + units <= length_of(run)) return run;
            run = linked(&node_of(run)->next);
        }
    }
    return NULL;
}

char *arena_free_find(uint32_t units, size_t alignment)
{
    if (alignment <= PAGE_ARENA_UNIT) return find_run(units);
    uint32_t slack = (uint32_t)(alignment / PAGE_ARENA_UNIT) - 1;
    char *run = find_aligned_hole(units, slack, alignment);
    return run != NULL ? run : find_run(units + slack);
}

// ---- totals

size_t arena_free_runs(void)
{
    return all.runs;
}

size_t arena_free_dirty_units(void)
{
    return all.dirty_units;
}
