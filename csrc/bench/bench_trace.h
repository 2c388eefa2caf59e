// A trace of a program, read from its file, checked, and turned into the steps of a replay.
//
// Reads a file of the format in trace_format.h. Every event and every total of the header is checked; a file with a mistake
// ends the program with one line. Tables come from mmap.
//
// slot: a place for one live block; an object gets the slot that was free for the shortest time.

#ifndef BENCH_TRACE_H
#define BENCH_TRACE_H

#include "bench_base.h"
#include "trace_format.h"

#include <fcntl.h>
#include <sys/stat.h>

enum {
    TRACE_SLOT_BITS = 24,
    TRACE_SIZE_CLASSES = 33, // powers of two up to 4 GiB
};

// A call of a replay. size: of the new block; of a free: of the block that ends. A step of kind TRACE_HAD comes before each
// realloc and holds the size that the block had.
enum { TRACE_HAD = TRACE_KINDS };

struct trace_step {
    uint32_t size;
    uint32_t slot : TRACE_SLOT_BITS;
    uint32_t kind : 3;
    uint32_t exponent : 5;
};

// steps: those of all events, and then frees of the blocks that the program left. calls: the steps that are calls.
struct bench_trace {
    const char *path;
    struct trace_state totals; // of the header
    struct trace_step *steps;
    uint64_t step_count, step_room, calls, slots;
    uint64_t sizes[TRACE_SIZE_CLASSES]; // allocations by size, rounded up to a power of two
};

// An event as it was read. at: the place of its first byte in the file.
struct trace_event {
    enum trace_kind kind;
    uint32_t thread;
    unsigned exponent;
    uint64_t object, size, at;
};

struct trace_reader {
    const char *path;
    const unsigned char *bytes;
    uint64_t at, end, file_bytes;
    uint64_t objects, before; // objects so far, and the object of the last event
    uint32_t thread;
    struct trace_state totals;
};

__attribute__((noreturn, cold)) static inline void trace_bad(const char *path, uint64_t at, const char *what)
{
    bench_die("%s: byte %" PRIu64 ": %s; record the trace again", path, at, what);
}

// ---- file and header ------------------------------------------------------------------------------------

static inline void trace_map(struct trace_reader *reader)
{
    struct stat status;
    const int file = open(reader->path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &status) != 0) bench_die("%s: %s", reader->path, strerror(errno));
    reader->file_bytes = (uint64_t)status.st_size;
    if (!S_ISREG(status.st_mode) || reader->file_bytes < sizeof(struct trace_header))
        bench_die("%s: it is no trace: it is shorter than the header", reader->path);
    void *const mapped = mmap(NULL, reader->file_bytes, PROT_READ, MAP_PRIVATE, file, 0);
    if (mapped == MAP_FAILED) bench_die("%s: %s", reader->path, strerror(errno));
    close(file);
    reader->bytes = mapped;
}

static inline void trace_check_header(const struct trace_reader *reader, const struct trace_header *header)
{
    if (memcmp(header->magic, TRACE_MAGIC, TRACE_MAGIC_BYTES) != 0)
        bench_die("%s: it is no trace: it does not begin with " TRACE_MAGIC, reader->path);
    if (header->version != TRACE_VERSION || header->header_bytes != sizeof *header)
        bench_die("%s: its format is version %" PRIu32 ", and this program reads version %d", reader->path,
                  header->version, TRACE_VERSION);
    if (header->current > 1 || header->zero != 0) trace_bad(reader->path, 16, "the header is damaged");
}

static inline struct trace_reader trace_open(const char *path)
{
    struct trace_reader reader = {.path = path, .at = sizeof(struct trace_header)};
    trace_map(&reader);
    struct trace_header header;
    memcpy(&header, reader.bytes, sizeof header);
    trace_check_header(&reader, &header);
    reader.totals = header.states[header.current];
    if (reader.totals.bytes > reader.file_bytes - sizeof header)
        bench_die("%s: it is cut off: %" PRIu64 " of %" PRIu64 " bytes of events are there", path,
                  reader.file_bytes - sizeof header, reader.totals.bytes);
    reader.end = reader.at + reader.totals.bytes;
    if (reader.totals.events > reader.totals.bytes || reader.totals.end >= TRACE_ENDS)
        trace_bad(path, 16, "the header is damaged");
    return reader;
}

static inline void trace_close(struct trace_reader *reader)
{
    munmap((void *)(uintptr_t)reader->bytes, reader->file_bytes);
}

// ---- events ---------------------------------------------------------------------------------------------

static inline uint64_t trace_varint(struct trace_reader *reader)
{
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 7 * TRACE_VARINT_MOST; shift += 7) {
        if (reader->at >= reader->end) trace_bad(reader->path, reader->at, "the last event is incomplete");
        const uint64_t byte = reader->bytes[reader->at++];
        if (shift == 63 && byte > 1) break;
        number |= (byte & 0x7f) << shift;
        if (byte < 0x80) return number;
    }
    trace_bad(reader->path, reader->at, "a number has more than 64 bits");
}

static inline void trace_read_thread(struct trace_reader *reader)
{
    const uint64_t at = reader->at, thread = trace_varint(reader);
    if (thread == 0 || thread > reader->totals.threads)
        trace_bad(reader->path, at, "there is no such thread");
    reader->thread = (uint32_t)thread;
}

static inline void trace_read_object(struct trace_reader *reader, struct trace_event *event)
{
    event->object = trace_object(trace_varint(reader), reader->before);
    if (event->object >= reader->objects) trace_bad(reader->path, event->at, "there is no such object yet");
}

// The first byte of the next event, after any change of the thread; false at the end.
static inline bool trace_next_byte(struct trace_reader *reader, unsigned *first)
{
    while (reader->at < reader->end) {
        *first = reader->bytes[reader->at++];
        if (*first != TRACE_THREAD) return true;
        trace_read_thread(reader);
    }
    return false;
}

// The next event; false at the end.
static inline bool trace_next(struct trace_reader *reader, struct trace_event *event)
{
    unsigned first;
    if (!trace_next_byte(reader, &first)) return false;
    const unsigned kind = first & ((1 << TRACE_KIND_BITS) - 1), exponent = first >> TRACE_KIND_BITS;
    *event = (struct trace_event){
        .kind = (enum trace_kind)kind, .thread = reader->thread, .exponent = exponent, .at = reader->at - 1};
    if (kind >= TRACE_KINDS || (exponent != 0 && kind != TRACE_ALIGNED))
        trace_bad(reader->path, event->at, "there is no such event");
    if (event->thread == 0) trace_bad(reader->path, event->at, "its thread is missing");
    if (kind == TRACE_REALLOC || kind == TRACE_FREE) trace_read_object(reader, event);
    else event->object = reader->objects++;
    if (kind != TRACE_FREE) event->size = trace_varint(reader);
    reader->before = event->object;
    return true;
}

// ---- steps ----------------------------------------------------------------------------------------------

// What the reader knows of an object. slot: NO_SLOT if it is not allocated.
enum { NO_SLOT = UINT32_MAX };

struct trace_block {
    uint32_t slot, size;
};

struct trace_builder {
    struct bench_trace *trace;
    struct trace_block *blocks; // by object
    uint32_t *free_slots; // the last one is next
    uint64_t block_room, free_count, live_blocks, live_bytes;
    struct trace_state found;
};

static inline void trace_add_step(struct bench_trace *trace, unsigned kind, uint64_t size, uint32_t slot,
                                  unsigned exponent)
{
    trace->steps[trace->step_count++] =
        (struct trace_step){.size = (uint32_t)size, .slot = slot, .kind = kind, .exponent = exponent};
    if (kind != TRACE_HAD) trace->calls++;
}

static inline uint32_t trace_take_slot(struct trace_builder *builder)
{
    if (builder->free_count > 0) return builder->free_slots[--builder->free_count];
    return (uint32_t)builder->trace->slots++;
}

static inline void trace_count_size(struct trace_builder *builder, uint64_t size)
{
    unsigned class = 0;
    while ((UINT64_C(1) << class) < size) class ++;
    builder->trace->sizes[class]++;
    builder->found.requested += size;
    builder->live_bytes += size;
    if (builder->live_bytes > builder->found.peak_bytes) builder->found.peak_bytes = builder->live_bytes;
}

static inline void trace_add_new(struct trace_builder *builder, const struct trace_event *event)
{
    struct trace_state *const found = &builder->found;
    if (event->object >= builder->block_room || builder->live_blocks >= builder->trace->totals.peak_blocks)
        trace_bad(builder->trace->path, event->at, "the header promises fewer blocks");
    const uint32_t slot = trace_take_slot(builder);
    builder->blocks[event->object] = (struct trace_block){slot, (uint32_t)event->size};
    if (++builder->live_blocks > found->peak_blocks) found->peak_blocks = builder->live_blocks;
    trace_add_step(builder->trace, event->kind, event->size, slot, event->exponent);
    trace_count_size(builder, event->size);
}

static inline void trace_add_realloc(struct trace_builder *builder, const struct trace_event *event)
{
    struct trace_block *const block = &builder->blocks[event->object];
    trace_add_step(builder->trace, TRACE_HAD, block->size, block->slot, 0);
    trace_add_step(builder->trace, TRACE_REALLOC, event->size, block->slot, 0);
    builder->live_bytes -= block->size;
    block->size = (uint32_t)event->size;
    trace_count_size(builder, event->size);
}

static inline void trace_add_free(struct trace_builder *builder, uint64_t object)
{
    struct trace_block *const block = &builder->blocks[object];
    trace_add_step(builder->trace, TRACE_FREE, block->size, block->slot, 0);
    builder->free_slots[builder->free_count++] = block->slot;
    builder->live_blocks--;
    builder->live_bytes -= block->size;
    block->slot = NO_SLOT;
}

static inline void trace_add(struct trace_builder *builder, const struct trace_event *event)
{
    const char *const path = builder->trace->path;
    const bool is_new = event->kind != TRACE_REALLOC && event->kind != TRACE_FREE;
    if (event->size > UINT32_MAX) trace_bad(path, event->at, "a block of 4 GiB or more cannot be replayed");
    if (event->kind == TRACE_REALLOC && event->size == 0) trace_bad(path, event->at, "a realloc to 0 bytes");
    if (!is_new && builder->blocks[event->object].slot == NO_SLOT)
        trace_bad(path, event->at, "its object was freed before");
    builder->found.events++;
    builder->found.counts[event->kind]++;
    if (is_new) trace_add_new(builder, event);
    else if (event->kind == TRACE_REALLOC) trace_add_realloc(builder, event);
    else trace_add_free(builder, event->object);
}

// The totals of the header are those of the events.
static inline void trace_check_totals(const struct bench_trace *trace, const struct trace_state *found)
{
    const struct trace_state *const wanted = &trace->totals;
    if (memcmp(found->counts, wanted->counts, sizeof found->counts) != 0 || found->events != wanted->events ||
        found->requested != wanted->requested || found->peak_blocks != wanted->peak_blocks ||
        found->peak_bytes != wanted->peak_bytes)
        trace_bad(trace->path, sizeof(struct trace_header), "the events are others than the header counts");
}

static inline struct trace_builder trace_builder_of(struct bench_trace *trace)
{
    const struct trace_state *const totals = &trace->totals;
    if (totals->peak_blocks > totals->events || totals->peak_blocks >= UINT64_C(1) << TRACE_SLOT_BITS)
        trace_bad(trace->path, 16, "more blocks at a time than can be replayed");
    trace->step_room = 2 * totals->events + totals->peak_blocks + 1; // a realloc is two
    trace->steps = bench_pages(trace->step_room * sizeof *trace->steps);
    return (struct trace_builder){
        .trace = trace,
        .block_room = totals->events,
        .blocks = bench_pages((totals->events + 1) * sizeof(struct trace_block)),
        .free_slots = bench_pages((totals->peak_blocks + 1) * sizeof(uint32_t)),
    };
}

// Read and check a trace.
static inline struct bench_trace bench_trace_of(const char *path)
{
    struct trace_reader reader = trace_open(path);
    struct bench_trace trace = {.path = path, .totals = reader.totals};
    struct trace_builder builder = trace_builder_of(&trace);
    struct trace_event event;
    while (trace_next(&reader, &event)) {
        if (builder.found.events == trace.totals.events)
            trace_bad(path, event.at, "there are more events than the header counts");
        trace_add(&builder, &event);
    }
    trace_check_totals(&trace, &builder.found);
    for (uint64_t object = 0; object < reader.objects; object++)
        if (builder.blocks[object].slot != NO_SLOT) trace_add_free(&builder, object);
    trace_close(&reader);
    munmap(builder.blocks, (builder.block_room + 1) * sizeof *builder.blocks);
    munmap(builder.free_slots, (trace.totals.peak_blocks + 1) * sizeof *builder.free_slots);
    return trace;
}

static inline void bench_trace_drop(struct bench_trace *trace)
{
    munmap(trace->steps, trace->step_room * sizeof *trace->steps);
    trace->steps = NULL;
}

#endif
