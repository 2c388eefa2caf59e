// Traces as text: one operation per line, `#` begins a comment.
//
//   t0 malloc b5 24        slot 5 is 24 bytes, allocated by thread 0
//   t0 calloc b6 10 8      10 * 8 zeroed bytes
//   t1 aligned b7 64 100   100 bytes aligned to 64
//   t0 realloc b5 100
//   t1 free b5             by another thread than the one that allocated it
//   t1 exit                the thread ends; a later line starts it again
//   t0 trim                free memory goes back to the system
#ifndef TRACE_TEXT_H
#define TRACE_TEXT_H

#include <sys/stat.h>

#include "trace.h"

__attribute__((noreturn, format(printf, 3, 4))) static inline void
trace_mistake(const char *file, unsigned line, const char *format, ...)
{
    char what[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    dprintf(STDERR_FILENO, "%s:%u: error: %s\n", file, line, what);
    _exit(2);
}

// reader: the line that is being read.
struct trace_reader {
    const char *file;
    unsigned line;
    const char *at;
};

static inline bool trace_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static inline bool trace_at_end(struct trace_reader *reader)
{
    while (trace_is_space(*reader->at)) reader->at++;
    return *reader->at == '\n' || *reader->at == '\0' || *reader->at == '#';
}

// Reads the next word, of which at most `room - 1` characters are stored.
static inline void trace_next_word(struct trace_reader *reader, char *word, size_t room, const char *what)
{
    if (trace_at_end(reader)) trace_mistake(reader->file, reader->line, "%s is missing", what);
    size_t length = 0;
    for (; !trace_is_space(*reader->at) && *reader->at != '\n' && *reader->at != '\0'; reader->at++)
        if (length + 1 < room) word[length++] = *reader->at;
    word[length] = '\0';
}

static inline uint32_t trace_next_number(struct trace_reader *reader, char prefix, size_t most,
                                         const char *what)
{
    char word[24];
    trace_next_word(reader, word, sizeof word, what);
    const char *digits = prefix != '\0' && word[0] == prefix ? word + 1 : word;
    bool number = (prefix == '\0' || word[0] == prefix) && *digits >= '0' && *digits <= '9';
    char *end = NULL;
    unsigned long long value = number ? strtoull(digits, &end, 10) : 0;
    char shown[2] = {prefix, '\0'};
    if (!number || *end != '\0' || value > most)
        trace_mistake(reader->file, reader->line, "%s must be %s0 to %s%zu, not %s", what, shown, shown, most,
                      word);
    return (uint32_t)value;
}

static inline uint8_t trace_next_kind(struct trace_reader *reader)
{
    char word[24];
    trace_next_word(reader, word, sizeof word, "the operation");
    for (int kind = 0; kind < TRACE_KINDS; kind++)
        if (strcmp(word, trace_words[kind].name) == 0) return (uint8_t)kind;
    trace_mistake(reader->file, reader->line, "there is no operation %s", word);
}

static inline void trace_check_alignment(const struct trace_reader *reader, size_t alignment)
{
    if (alignment == 0 || (alignment & (alignment - 1)) != 0)
        trace_mistake(reader->file, reader->line, "the alignment must be a power of two, not %zu", alignment);
}

static inline struct trace_op trace_read_op(struct trace_reader *reader)
{
    struct trace_op op = {.line = reader->line};
    op.thread = (uint8_t)trace_next_number(reader, 't', TRACE_THREADS - 1, "the thread");
    op.kind = trace_next_kind(reader);
    const struct trace_word *word = &trace_words[op.kind];
    if (word->slot) op.slot = (uint16_t)trace_next_number(reader, 'b', TRACE_SLOTS - 1, "the block");
    if (word->numbers == 2) {
        bool count = op.kind == TRACE_CALLOC;
        op.first = trace_next_number(reader, '\0', count ? TRACE_LARGEST : TRACE_ALIGNMENT,
                                     count ? "the count" : "the alignment");
        if (!count) trace_check_alignment(reader, op.first);
    }
    if (word->numbers >= 1) op.size = trace_next_number(reader, '\0', TRACE_LARGEST, "the size");
    if (trace_wanted(&op) > TRACE_LARGEST)
        trace_mistake(reader->file, reader->line, "more than %zu bytes are wanted", TRACE_LARGEST);
    if (!trace_at_end(reader)) trace_mistake(reader->file, reader->line, "more words than an operation has");
    return op;
}

// Returns the file's text, terminated by a zero byte.
static inline char *trace_file_text(const char *file)
{
    int handle = open(file, O_RDONLY | O_CLOEXEC);
    struct stat facts;
    if (handle < 0 || fstat(handle, &facts) != 0) {
        dprintf(STDERR_FILENO, "%s: %s\n", file, strerror(errno));
        _exit(2);
    }
    size_t size = (size_t)facts.st_size, done = 0;
    char *text = T_pages(size + 1);
    for (ssize_t got; done < size && (got = read(handle, text + done, size - done)) > 0;) done += (size_t)got;
    close(handle);
    return text;
}

static inline struct trace trace_load(const char *file)
{
    struct trace_reader reader = {file, 1, trace_file_text(file)};
    size_t lines = 1;
    for (const char *at = reader.at; *at != '\0'; at++) lines += *at == '\n';
    struct trace trace = {file, T_pages(lines * sizeof(struct trace_op)), 0};
    for (;; reader.line++, reader.at++) {
        if (!trace_at_end(&reader)) trace.ops[trace.count++] = trace_read_op(&reader);
        while (*reader.at != '\n' && *reader.at != '\0') reader.at++;
        if (*reader.at == '\0') return trace;
    }
}

static inline void trace_print(const struct trace *trace)
{
    char line[80];
    for (size_t i = 0; i < trace->count; i++) {
        trace_describe(&trace->ops[i], line, sizeof line);
        puts(line);
    }
}

#endif
