// The recorder: preloaded into a program, it writes what the program asks of malloc into a trace; trace_format.h is the format.
//
// Reads TRACE_RECORDER_FILE, the absolute path of the trace, which must not exist; TRACE_RECORDER_EVENTS, the number of
// events after which it stops; and TRACE_RECORDER_PROGRAM, the file name of the program to record. Without the last one, it
// records the first process that loads it. All other processes run unrecorded. `./sconsw record` sets these.
//
//     next     The malloc behind this one: that of the library that is next in the order of the loader.
//     file     The trace is a shared mapping of its file, which is complete after every event. So nothing is lost when the
//              program ends without destructors, replaces itself by exec, or is killed.
//     order    One lock for all events, so cross-thread frees come after the allocation. A free is written before it is
//              done, because another thread may get the address at once; an allocation is written after it was done.
//     fork     The page of `switches` is zero in a child, so a child does not record.
//     handler  A signal handler that interrupts the recorder is served without being recorded. A block that it freed stays in
//              the table; it is written as free when its address is allocated again.
//
// Failed requests, free(NULL) and malloc_usable_size are not written. A realloc to 0 bytes is written as a free if it
// returned NULL, and otherwise as a realloc to 1 byte. C++ operators of the C++ library call malloc.

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "trace_format.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum {
    EARLY = 1 << 16, // bytes for requests while dlsym looks for the next malloc
    EARLY_HEAD = 16, // before each of those blocks: its size
    STEP = 1 << 20, // bytes by which the file grows
    MOST_BYTES = 64, // of what one call writes: the free of a lost block, a thread, and its own event
    FIRST_ROOM = 1 << 12, // entries of the first table
    PAGE = 4096,
    MOST_EVENTS = 10000000,
};

extern char **environ;

static struct {
    void *(*malloc)(size_t);
    void (*free)(void *);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*memalign)(size_t, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    int (*posix_memalign)(void **, size_t, size_t);
} next;

// An entry of the table of live blocks. address 0: empty.
struct entry {
    uintptr_t address;
    uint64_t object, size;
};

struct switches {
    bool is_on;
};

static struct {
    volatile struct switches *switches; // NULL until the recorder has looked for its variables
    struct trace_header *header;
    unsigned char *events;
    uint64_t limit, room; // events that may be written, and bytes of the file that have space on the disk
    struct trace_state state;
    uint64_t before; // the object of the last event
    uint64_t objects, live_blocks, live_bytes; // a block is live while it is being reallocated, too
    uint32_t thread; // of the last event
    struct entry *table;
    uint64_t table_room, table_used;
    char path[PAGE];
} recorder;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread bool is_inside __attribute__((tls_model("initial-exec")));
static __thread uint32_t own_thread __attribute__((tls_model("initial-exec")));
static bool is_starting, is_finding;
static unsigned char early[EARLY] __attribute__((aligned(EARLY_HEAD)));
static size_t early_used;

// ---- messages and memory --------------------------------------------------------------------------------

static void say(const char *what, const char *which)
{
    const char *const parts[] = {"trace_recorder: ", what, which, "\n"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (write(STDERR_FILENO, parts[i], strlen(parts[i])) < 0) return;
}

static void *pages(uint64_t bytes)
{
    void *found = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return found == MAP_FAILED ? NULL : found;
}

// ---- the malloc behind this one -------------------------------------------------------------------------

static void find_next(void)
{
    is_finding = true;
    next.free = (void (*)(void *))dlsym(RTLD_NEXT, "free");
    next.calloc = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "calloc");
    next.realloc = (void *(*)(void *, size_t))dlsym(RTLD_NEXT, "realloc");
    next.memalign = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "memalign");
    next.aligned_alloc = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "aligned_alloc");
    next.posix_memalign = (int (*)(void **, size_t, size_t))dlsym(RTLD_NEXT, "posix_memalign");
    next.malloc = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
    is_finding = false;
    if (next.malloc != NULL && next.free != NULL && next.calloc != NULL && next.realloc != NULL) return;
    say("there is no malloc behind it", "");
    abort();
}

static bool is_early(const void *block)
{
    return (uintptr_t)block - (uintptr_t)early < sizeof early;
}

// Memory while the next malloc is being looked for. It is zero, and stays allocated.
static void *early_block(size_t size)
{
    const size_t whole = (size + 2 * EARLY_HEAD - 1) & ~(size_t)(EARLY_HEAD - 1);
    if (size > EARLY || whole > EARLY - early_used) {
        errno = ENOMEM;
        return NULL;
    }
    unsigned char *head = early + early_used;
    memcpy(head, &size, sizeof size);
    early_used += whole;
    return head + EARLY_HEAD;
}

// Whether a request has to be served from `early`.
static bool is_too_early(void)
{
    if (next.malloc == NULL && !is_finding) find_next();
    return next.malloc == NULL;
}

// ---- the table of live blocks ---------------------------------------------------------------------------

static uint64_t place_of(uintptr_t address)
{
    return (address * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (recorder.table_room - 1);
}

// The entry of this address, or the empty one where it belongs.
static struct entry *find(uintptr_t address)
{
    uint64_t at = place_of(address);
    while (recorder.table[at].address != 0 && recorder.table[at].address != address)
        at = (at + 1) & (recorder.table_room - 1);
    return &recorder.table[at];
}

static bool make_room(void)
{
    if (recorder.table_used * 2 < recorder.table_room) return true;
    struct entry *const old = recorder.table;
    const uint64_t old_room = recorder.table_room, room = old_room == 0 ? FIRST_ROOM : old_room * 2;
    struct entry *const table = pages(room * sizeof *table);
    if (table == NULL) return false;
    recorder.table = table;
    recorder.table_room = room;
    for (uint64_t i = 0; i < old_room; i++)
        if (old[i].address != 0) *find(old[i].address) = old[i];
    if (old != NULL) munmap(old, old_room * sizeof *old);
    return true;
}

// Empty an entry, and move back those behind it that its place had pushed away.
static void take_out(struct entry *entry)
{
    const uint64_t mask = recorder.table_room - 1;
    uint64_t hole = (uint64_t)(entry - recorder.table);
    for (uint64_t at = (hole + 1) & mask; recorder.table[at].address != 0; at = (at + 1) & mask) {
        const uint64_t wanted = place_of(recorder.table[at].address);
        if (((at - wanted) & mask) < ((at - hole) & mask)) continue;
        recorder.table[hole] = recorder.table[at];
        hole = at;
    }
    recorder.table[hole].address = 0;
    recorder.table_used--;
}

// ---- the file -------------------------------------------------------------------------------------------

static void commit(void)
{
    struct trace_header *const header = recorder.header;
    const uint32_t other = header->current ^ 1;
    header->states[other] = recorder.state;
    __atomic_store_n(&header->current, other, __ATOMIC_RELEASE);
}

static void stop(enum trace_end end)
{
    recorder.state.end = end;
    commit();
    recorder.switches->is_on = false;
}

// Space on the disk for another part of the file. A mapping of a file cannot report a full disk in any other way than by
// a signal. The file is opened each time, because programs close files that they do not know.
static bool grow_file(void)
{
    int cancel, ignored, error = -1;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel); // a thread that ends here would keep the lock
    const int file = open(recorder.path, O_RDWR | O_CLOEXEC);
    if (file >= 0) {
        error = posix_fallocate(file, (off_t)recorder.room, STEP);
        close(file);
    }
    pthread_setcancelstate(cancel, &ignored);
    if (error == 0) recorder.room += STEP;
    return error == 0;
}

static bool has_space(void)
{
    const uint64_t wanted = sizeof *recorder.header + recorder.state.bytes + MOST_BYTES;
    return (wanted <= recorder.room || grow_file()) && make_room();
}

static void put(uint64_t number)
{
    for (; number >= 0x80; number >>= 7)
        recorder.events[recorder.state.bytes++] = (unsigned char)(number | 0x80);
    recorder.events[recorder.state.bytes++] = (unsigned char)number;
}

static void put_object(uint64_t object)
{
    put(trace_distance(object, recorder.before));
}

// The first byte of an event.
static void put_kind(enum trace_kind kind, unsigned exponent)
{
    recorder.events[recorder.state.bytes++] = (unsigned char)(kind | exponent << TRACE_KIND_BITS);
    recorder.state.events++;
    recorder.state.counts[kind]++;
}

static void put_thread(void)
{
    if (own_thread == 0) own_thread = ++recorder.state.threads;
    if (own_thread == recorder.thread) return;
    recorder.thread = own_thread;
    recorder.events[recorder.state.bytes++] = TRACE_THREAD;
    put(own_thread);
}

// ---- events ---------------------------------------------------------------------------------------------

static void begin(void);

// Whether to record the current call; if so, `leave` has to follow.
static bool enter(void)
{
    if (recorder.switches == NULL) begin();
    if (recorder.switches == NULL || !recorder.switches->is_on || is_inside) return false;
    is_inside = true;
    pthread_mutex_lock(&lock);
    if (recorder.switches->is_on) return true;
    pthread_mutex_unlock(&lock);
    is_inside = false;
    return false;
}

static void leave(void)
{
    if (recorder.state.events >= recorder.limit && recorder.switches->is_on) stop(TRACE_AT_LIMIT);
    pthread_mutex_unlock(&lock);
    is_inside = false;
}

static void forget(const struct entry *entry)
{
    recorder.before = entry->object;
    recorder.live_blocks--;
    recorder.live_bytes -= entry->size;
}

static void put_free(struct entry *entry)
{
    put_kind(TRACE_FREE, 0);
    put_object(entry->object);
    forget(entry);
    take_out(entry);
}

// The entry for a block at this address, empty. A block that is still there was freed where the recorder did not see it.
static struct entry *fresh_entry(uintptr_t address)
{
    struct entry *entry = find(address);
    if (entry->address != 0) {
        put_free(entry);
        entry = find(address);
    }
    return entry;
}

static void keep(struct entry *entry, uintptr_t address, uint64_t object, uint64_t size)
{
    struct trace_state *const state = &recorder.state;
    *entry = (struct entry){address, object, size};
    recorder.before = object;
    state->requested += size;
    recorder.table_used++;
    recorder.live_blocks++;
    recorder.live_bytes += size;
    if (recorder.live_blocks > state->peak_blocks) state->peak_blocks = recorder.live_blocks;
    if (recorder.live_bytes > state->peak_bytes) state->peak_bytes = recorder.live_bytes;
}

static void note_new(enum trace_kind kind, void *block, size_t size, unsigned exponent)
{
    if (block == NULL || !enter()) return;
    const int error = errno;
    if (has_space()) {
        put_thread();
        struct entry *const entry = fresh_entry((uintptr_t)block);
        put_kind(kind, exponent);
        put(size);
        keep(entry, (uintptr_t)block, recorder.objects++, size);
        commit();
    } else {
        stop(TRACE_AT_NO_SPACE);
    }
    errno = error;
    leave();
}

static void note_free(void *block)
{
    if (block == NULL || !enter()) return;
    const int error = errno;
    struct entry *const entry = recorder.table_room == 0 ? NULL : find((uintptr_t)block);
    if (entry == NULL || entry->address == 0) {
        recorder.state.ignored++;
        commit();
    } else if (has_space()) {
        put_thread();
        put_free(find((uintptr_t)block)); // the table may have moved
        commit();
    } else {
        stop(TRACE_AT_NO_SPACE);
    }
    errno = error;
    leave();
}

// Before a realloc, the block's entry is taken out: as soon as the block moves, another thread may get its address. Returns
// false for a block that is not known.
static bool take_for_realloc(void *block, struct entry *taken)
{
    if (!enter()) return false;
    struct entry *const entry = recorder.table_room == 0 ? NULL : find((uintptr_t)block);
    const bool is_known = entry != NULL && entry->address != 0;
    if (is_known) {
        *taken = *entry;
        take_out(entry);
    }
    leave();
    return is_known;
}

// After a realloc that failed: the block is where it was.
static void put_back(const struct entry *taken)
{
    if (!enter()) return;
    *find(taken->address) = *taken; // there is room: it was taken out
    recorder.table_used++;
    leave();
}

static void note_realloc(const struct entry *taken, void *block, size_t size)
{
    if (!enter()) return;
    const int error = errno;
    if (has_space()) {
        put_thread();
        struct entry *const entry = fresh_entry((uintptr_t)block);
        put_kind(TRACE_REALLOC, 0);
        put_object(taken->object);
        put(size > 0 ? size : 1);
        forget(taken);
        keep(entry, (uintptr_t)block, taken->object, size > 0 ? size : 1);
        commit();
    } else {
        stop(TRACE_AT_NO_SPACE);
    }
    errno = error;
    leave();
}

static void note_realloc_free(const struct entry *taken)
{
    if (!enter()) return;
    const int error = errno;
    if (has_space()) {
        put_thread();
        put_kind(TRACE_FREE, 0);
        put_object(taken->object);
        forget(taken);
        commit();
    } else {
        stop(TRACE_AT_NO_SPACE);
    }
    errno = error;
    leave();
}

// ---- start ----------------------------------------------------------------------------------------------

// A process may be one of many that a program starts, such as the compiler proper of a compiler driver.
static bool is_wanted_program(const char *wanted)
{
    char path[PAGE];
    if (wanted == NULL || *wanted == '\0') return true;
    const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0) return false;
    path[length] = '\0';
    const char *slash = strrchr(path, '/');
    return strcmp(slash != NULL ? slash + 1 : path, wanted) == 0;
}

static bool map_file(int file)
{
    const uint64_t bytes = sizeof *recorder.header + recorder.limit * MOST_BYTES + STEP;
    struct rlimit most; // beyond it, the system ends the program
    if (getrlimit(RLIMIT_FSIZE, &most) != 0 || most.rlim_cur < bytes) return false;
    if (ftruncate(file, (off_t)bytes) != 0) return false;
    void *const mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED || !grow_file()) return false;
    recorder.header = mapped;
    recorder.events = (unsigned char *)mapped + sizeof *recorder.header;
    return true;
}

// A page that is zero in a child, so that a child stops before it can write into its parent's file.
static volatile struct switches *wiped_page(void)
{
    void *const page = pages(PAGE);
    if (page == NULL || madvise(page, PAGE, MADV_WIPEONFORK) != 0) return NULL;
    return page;
}

static void write_header(void)
{
    struct trace_header *const header = recorder.header;
    header->version = TRACE_VERSION;
    header->header_bytes = sizeof *header;
    commit();
    memcpy(header->magic, TRACE_MAGIC, sizeof header->magic); // last: from here on, the file is a trace
}

static bool start(const char *path)
{
    const size_t length = strlen(path);
    const int file = path[0] == '/' && length < sizeof recorder.path
                         ? open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666)
                         : -1;
    if (file < 0 && errno == EEXIST) return true; // another process records
    memcpy(recorder.path, path, file < 0 ? 0 : length + 1);
    const bool is_mapped = file >= 0 && map_file(file);
    if (file >= 0) close(file);
    if (!is_mapped || !make_room()) return false;
    write_header();
    recorder.switches->is_on = true;
    return true;
}

static void begin(void)
{
    if (environ == NULL || is_starting) return; // the C library is being set up
    is_starting = true;
    const int error = errno;
    const char *const path = getenv("TRACE_RECORDER_FILE"), *const events = getenv("TRACE_RECORDER_EVENTS");
    recorder.limit = events != NULL ? strtoull(events, NULL, 10) : 0;
    if (recorder.limit == 0 || recorder.limit > MOST_EVENTS) recorder.limit = MOST_EVENTS;
    recorder.switches = wiped_page();
    if (recorder.switches == NULL) say("the kernel cannot zero a page in children (MADV_WIPEONFORK)", "");
    else if (path != NULL && is_wanted_program(getenv("TRACE_RECORDER_PROGRAM")) && !start(path))
        say("cannot write TRACE_RECORDER_FILE, which has to be an absolute path: ", path);
    errno = error;
}

// A program that never allocates leaves an empty trace.
__attribute__((constructor)) static void begin_at_load(void)
{
    if (!is_too_early() && recorder.switches == NULL) begin();
}

// ---- the public functions -------------------------------------------------------------------------------

EXPORT void *malloc(size_t size)
{
    if (is_too_early()) return early_block(size);
    void *block = next.malloc(size);
    note_new(TRACE_MALLOC, block, size, 0);
    return block;
}

EXPORT void free(void *block)
{
    if (is_early(block)) return;
    if (is_too_early()) return; // NULL: no other block exists yet
    note_free(block);
    next.free(block);
}

EXPORT void *calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) bytes = SIZE_MAX;
    if (is_too_early()) return early_block(bytes);
    void *block = next.calloc(count, size);
    note_new(TRACE_CALLOC, block, bytes, 0);
    return block;
}

static void *realloc_early(void *block, size_t size)
{
    size_t had;
    memcpy(&had, (unsigned char *)block - EARLY_HEAD, sizeof had);
    void *made = malloc(size);
    return made == NULL ? NULL : memcpy(made, block, had < size ? had : size);
}

EXPORT void *realloc(void *block, size_t size)
{
    struct entry taken;
    if (block == NULL) return malloc(size);
    if (is_early(block)) return realloc_early(block, size);
    const bool is_known = take_for_realloc(block, &taken);
    void *made = next.realloc(block, size);
    if (!is_known) note_new(TRACE_MALLOC, made, size, 0);
    else if (made != NULL) note_realloc(&taken, made, size);
    else if (size == 0) note_realloc_free(&taken);
    else put_back(&taken);
    return made;
}

EXPORT void *reallocarray(void *block, size_t count, size_t size)
{
    size_t bytes;
    if (!__builtin_mul_overflow(count, size, &bytes)) return realloc(block, bytes);
    errno = ENOMEM;
    return NULL;
}

// Notes the alignment by its exponent; one that is no power of two is the business of the next malloc.
static void *note_aligned(void *block, size_t align, size_t size)
{
    const unsigned exponent = align == 0 ? 0 : (unsigned)__builtin_ctzll(align);
    if (exponent <= TRACE_ALIGN_MOST) note_new(TRACE_ALIGNED, block, size, exponent);
    return block;
}

EXPORT void *memalign(size_t align, size_t size)
{
    if (is_too_early() || next.memalign == NULL) return NULL;
    return note_aligned(next.memalign(align, size), align, size);
}

EXPORT void *aligned_alloc(size_t align, size_t size)
{
    if (is_too_early() || next.aligned_alloc == NULL) return NULL;
    return note_aligned(next.aligned_alloc(align, size), align, size);
}

EXPORT int posix_memalign(void **block, size_t align, size_t size)
{
    if (is_too_early() || next.posix_memalign == NULL) return ENOMEM;
    const int error = next.posix_memalign(block, align, size);
    if (error == 0) note_aligned(*block, align, size);
    return error;
}

EXPORT void *valloc(size_t size)
{
    return memalign((size_t)sysconf(_SC_PAGESIZE), size);
}

EXPORT void *pvalloc(size_t size)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return memalign(page, (size + page - 1) & ~(page - 1));
}
