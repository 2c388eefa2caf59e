// For tests of one module, linked with the static library: its internal headers can be used here.
#ifndef INSIDE_H
#define INSIDE_H

#include "../csrc/test.h"

// Checks that the statement ends the process by abort, with one line on stderr.
#define T_CHECK_DIES(statement) \
    do { \
        int ends_[2], status_ = 0; \
        char line_[200] = {0}; \
        T_CHECK(pipe(ends_) == 0, "pipe: %s", strerror(errno)); \
        pid_t child_ = fork(); \
        if (child_ == 0) { \
            dup2(ends_[1], STDERR_FILENO); \
            statement; \
            _exit(0); \
        } \
        close(ends_[1]); \
        ssize_t length_ = read(ends_[0], line_, sizeof line_ - 1); \
        close(ends_[0]); \
        T_CHECK(waitpid(child_, &status_, 0) == child_, "waitpid: %s", strerror(errno)); \
        T_CHECK(WIFSIGNALED(status_) && WTERMSIG(status_) == SIGABRT, "%s did not abort", #statement); \
        T_CHECK(length_ > 8 && strncmp(line_, "hakmem: ", 8) == 0, "%s printed: %s", #statement, line_); \
    } while (0)

#endif
