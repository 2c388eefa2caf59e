// The report of the counts, in builds with HAKMEM_STATS: a file of JSON, a table on stderr. See tiny_count.h.
#ifndef TINY_COUNT_REPORT_H
#define TINY_COUNT_REPORT_H

#include "thread/tiny_counts.h"

#if HAKMEM_STATS

#define TINY_COUNT_FILE_NAME 4096 // bytes of the longest name

// sum: of the threads that have ended.
typedef struct tiny_count_totals {
    const tiny_counts_t *sum;
    uint64_t ended;
    uint64_t running;
} tiny_count_totals_t;

// Writes the counts, as JSON. "%p" in the file's name becomes the process id.
void tiny_count_write_file(const char *wanted, const tiny_count_totals_t *totals);

// Prints a table to stderr.
void tiny_count_print_table(const tiny_count_totals_t *totals);

// Prints a line about a problem to stderr.
void tiny_count_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
#endif
