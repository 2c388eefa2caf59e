// What a library does with a misuse, in the words of the table; for libraries that have no expectation here.
//
// A library that draws at random may end a trial in several ways, so each misuse is tried several times.
#ifndef OBSERVED_H
#define OBSERVED_H

#include "trial.h"

#include <dlfcn.h>

enum { TRIALS = 8, PATIENCE_SECONDS = 10, NOT_OFFERED = 78 };

// Ends the child if the library whose malloc is used lacks the function. Another one's would not know its blocks.
static void must_offer(const char *function)
{
    if (getenv("OBSERVE_ONLY") == NULL) return;
    Dl_info own, its;
    void *address = dlsym(RTLD_DEFAULT, function);
    bool offered = address != NULL && dladdr(address, &its) != 0 &&
                   dladdr(dlsym(RTLD_DEFAULT, "malloc"), &own) != 0 && own.dli_fbase == its.dli_fbase;
    if (!offered) _exit(NOT_OFFERED);
}

static bool is_a_report(int signal)
{
    return signal == SIGABRT || signal == SIGTRAP || signal == SIGILL;
}

// A child that fails a check of its own could not make the case: it depends on how a library lays out its blocks.
static const char *word_of(const ending_t *ending)
{
    if (WIFEXITED(ending->status)) return WEXITSTATUS(ending->status) == 0 ? "-" : "n/a";
    int signal = WTERMSIG(ending->status);
    if (is_a_report(signal)) return ending->done ? "later" : "at once";
    if (signal == SIGALRM) return "hangs";
    return ending->wrote || ending->done || !ending->writes ? "crash" : "guard page";
}

static void (*act_in_time)(size_t size);

static void act_with_an_alarm(size_t size)
{
    alarm(PATIENCE_SECONDS);
    act_in_time(size);
}

static const char *observed(void (*act)(size_t size), size_t size)
{
    act_in_time = act;
    const char *word = NULL;
    for (int i = 0; i < TRIALS; i++) {
        ending_t ending =
        try
            (act_with_an_alarm, size);
        const char *now = word_of(&ending);
        if (word != NULL && strcmp(word, now) != 0) return "by chance";
        word = now;
    }
    return word;
}

#endif
