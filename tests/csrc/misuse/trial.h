// One trial: a misuse in its own child, which marks how far it came, and how the child ended.
#ifndef TRIAL_H
#define TRIAL_H

#include "../test.h"

#include <signal.h>

// ---- in the child

static int reports; // the pipe of the child's marks

#define DONE 'd'
#define ABOUT_TO_WRITE 'a'
#define WROTE 'w'

static void mark(char what)
{
    T_CHECK(write(reports, &what, 1) == 1, "no report: %s", strerror(errno));
}

// The misuse has happened: what is detected from here on is detected later.
static void misuse_is_done(void)
{
    mark(DONE);
}

static void flip(unsigned char *bytes, size_t count)
{
    mark(ABOUT_TO_WRITE);
    for (size_t i = 0; i < count; i++) bytes[i] ^= 0xff;
    mark(WROTE);
}

// ---- the child, from outside

enum { ROOM = 4096 };

// How a child ended, and what it wrote.
typedef struct ending {
    int status;
    bool done; // it ran past the misuse
    bool writes; // the misuse is a write
    bool wrote; // the write went through
    char errors[ROOM];
} ending_t;

static size_t read_all(int file, char *text, size_t room)
{
    size_t length = 0;
    for (ssize_t got; length < room && (got = read(file, text + length, room - length)) > 0;)
        length += (size_t)got;
    close(file);
    return length;
}

static void be_the_child(void (*act)(size_t size), size_t size, int errors)
{
    dup2(errors, STDERR_FILENO);
    signal(SIGSEGV, SIG_DFL); // a sanitizer has its own handler
    act(size);
    misuse_is_done();
    _exit(0);
}

static ending_t
try
    (void (*act)(size_t size), size_t size)
    {
        ending_t ending = {.done = false};
        int report[2], errors[2];
        T_CHECK(pipe(report) == 0 && pipe(errors) == 0, "no pipes: %s", strerror(errno));
        reports = report[1];
        pid_t child = fork();
        T_CHECK(child >= 0, "no child: %s", strerror(errno));
        if (child == 0) be_the_child(act, size, errors[1]);
        close(report[1]);
        close(errors[1]);
        char marks[16];
        size_t marked = read_all(report[0], marks, sizeof marks);
        ending.done = memchr(marks, DONE, marked) != NULL;
        ending.writes = memchr(marks, ABOUT_TO_WRITE, marked) != NULL;
        ending.wrote = memchr(marks, WROTE, marked) != NULL;
        ending.errors[read_all(errors[0], ending.errors, ROOM - 1)] = '\0';
        T_CHECK(waitpid(child, &ending.status, 0) == child, "waitpid: %s", strerror(errno));
        return ending;
    }

static bool was_signalled(const ending_t *ending, int signal)
{
    return WIFSIGNALED(ending->status) && WTERMSIG(ending->status) == signal;
}

// True if stderr has exactly one line, with the message and an address in hexadecimal digits.
static bool printed_line(const ending_t *ending, const char *what)
{
    const char *end = strchr(ending->errors, '\n');
    return was_signalled(ending, SIGABRT) && strncmp(ending->errors, "hakmem: ", 8) == 0 && end != NULL &&
           end[1] == '\0' && strstr(ending->errors, what) != NULL && strstr(ending->errors, ": 0x") != NULL;
}

static bool is_unnoticed(const ending_t *ending)
{
    return WIFEXITED(ending->status) && WEXITSTATUS(ending->status) == 0 && ending->errors[0] == '\0';
}

static bool is_refused(const ending_t *ending)
{
    return was_signalled(ending, SIGSEGV) && ending->errors[0] == '\0';
}

#endif
