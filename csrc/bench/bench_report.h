// The line of result: clocks, resident memory, and the JSON that contains all of it.
//
// Reads /proc/self/status. Writes one line to stdout:
//
//     bench, ops, mops   the load, its mallocs and frees (each realloc is one, too), and millions of them a second
//     seconds            wall time of the timed part
//     cpu_seconds        CPU time of all threads in the timed part, in the program and in the kernel
//     peak_kib           highest resident memory until the end of the timed part
//     checksum           of the sizes or bytes of freed blocks: equal for every allocator
//     allocator          path of the object that holds the malloc that was called
//     after_kib          with --after-ms only: resident memory that long after everything was freed

#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "bench_allocator.h"
#include "bench_base.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>

struct bench_clock {
    double wall, cpu; // seconds: a point in time after bench_start, the length since then after bench_stop
};

struct bench_result {
    const char *name;
    uint64_t ops;
    struct bench_clock spent;
    uint64_t peak_kib;
    uint64_t checksum;
    bool has_after;
    uint64_t after_kib;
};

// ---- clocks ---------------------------------------------------------------------------------------------

static inline double bench_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

// CPU seconds of `who`: RUSAGE_SELF, or RUSAGE_CHILDREN for those that have ended.
static inline double bench_cpu_seconds(int who)
{
    struct rusage used;
    getrusage(who, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
}

static inline struct bench_clock bench_now(void)
{
    return (struct bench_clock){.wall = bench_seconds(), .cpu = bench_cpu_seconds(RUSAGE_SELF)};
}

static inline void bench_start(struct bench_clock *clock)
{
    *clock = bench_now();
}

static inline void bench_stop(struct bench_clock *clock)
{
    clock->wall = bench_seconds() - clock->wall;
    clock->cpu = bench_cpu_seconds(RUSAGE_SELF) - clock->cpu;
}

// ---- memory ---------------------------------------------------------------------------------------------

// A line of /proc/self/status in KiB, 0 where the kernel does not show it, and in a run that is counted.
static inline uint64_t bench_status_kib(const char *key)
{
    if (bench_is_counted()) return 0;
    char text[8192];
    int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    text[length > 0 ? length : 0] = '\0';
    const char *line = strstr(text, key);
    return line == NULL ? 0 : strtoull(line + strlen(key), NULL, 10);
}

// Highest resident memory of this process so far.
static inline uint64_t bench_peak_kib(void)
{
    return bench_status_kib("VmHWM:");
}

// What a server does for a small request: a few blocks of up to 4 KiB, freed at its end.
static inline void bench_small_request(void)
{
    enum { BLOCKS = 8 };
    void *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc((size_t)32 << i);
        if (blocks[i] == NULL) bench_die("malloc(%zu) failed", (size_t)32 << i);
    }
    for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
}

// Resident memory after `ms` milliseconds of a program that has become quiet. It is not wholly idle: every 10 ms it
// serves a small request, as an allocator without a thread of its own can give memory back only when it is called.
static inline uint64_t bench_quiet_kib(uint64_t ms)
{
    const double end = bench_seconds() + (double)ms * 1e-3;
    while (bench_seconds() < end) {
        bench_small_request();
        usleep(10000);
    }
    return bench_status_kib("VmRSS:");
}

// ---- the line -------------------------------------------------------------------------------------------

static inline void bench_print_text(const char *text)
{
    putchar('"');
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        if (*at < ' ') printf("\\u%04x", *at);
        else if (*at == '"' || *at == '\\') printf("\\%c", *at);
        else putchar(*at);
    }
    putchar('"');
}

static inline void bench_print(const struct bench_result *given)
{
    struct bench_result counted = *given;
    const struct bench_result *result = &counted;
    if (bench_is_counted()) counted.spent = (struct bench_clock){0};
    char path[PATH_MAX];
    const char *allocator = bench_allocator(path);
    const double mops = result->spent.wall > 0 ? (double)result->ops / result->spent.wall * 1e-6 : 0;
    printf("{\"bench\":\"%s\",\"ops\":%" PRIu64 ",\"seconds\":%.6f,\"mops\":%.6f,\"peak_kib\":%" PRIu64
           ",\"checksum\":%" PRIu64 ",\"cpu_seconds\":%.6f",
           result->name, result->ops, result->spent.wall, mops, result->peak_kib, result->checksum,
           result->spent.cpu);
    if (result->has_after) printf(",\"after_kib\":%" PRIu64, result->after_kib);
    printf(",\"allocator\":");
    bench_print_text(allocator);
    puts("}");
}

#endif
