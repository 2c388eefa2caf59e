// Before main and after it: constructors, destructors and exit handlers allocate and free, also while another thread is
// running.

#include "block.h"

enum { BLOCKS = 100 };

static struct block *from_constructor[BLOCKS], *from_main[BLOCKS], *from_handler[BLOCKS];
static int report = -1; // a pipe to the parent; each stage after main writes one letter

static void fill_blocks(struct block **blocks)
{
    uint64_t random = 3;
    for (int i = 0; i < BLOCKS; i++) blocks[i] = block_new(block_random_size(&random), random);
}

static void free_blocks(struct block **blocks)
{
    for (int i = 0; i < BLOCKS; i++) block_free(blocks[i]);
}

static void print_stage(char stage)
{
    if (report >= 0) T_CHECK(write(report, &stage, 1) == 1, "the pipe is closed");
}

__attribute__((constructor(101))) static void allocate_before_main(void)
{
    fill_blocks(from_constructor);
    void *aligned = T_memalign(4096, 100);
    T_CHECK(aligned != NULL, "memalign failed in a constructor");
    T_free(aligned);
}

static void late_handler(void)
{
    free_blocks(from_handler);
    free_blocks(from_constructor);
    print_stage('b');
}

static void early_handler(void)
{
    fill_blocks(from_handler);
    free_blocks(from_main);
    print_stage('a');
}

__attribute__((destructor(101))) static void allocate_after_main(void)
{
    if (report < 0) return; // the parent does not report
    fill_blocks(from_main);
    free_blocks(from_main);
    void *grown = T_realloc(T_must_malloc(10), 100000);
    T_CHECK(grown != NULL, "realloc failed in a destructor");
    T_free(grown);
    print_stage('c');
}

__attribute__((noreturn)) static void *keep_allocating(void *argument)
{
    uint64_t random = (uintptr_t)argument;
    for (;;) block_free(block_new(block_random_size(&random), random));
}

// Forks a child that ends by exit(), and collects the letters of the stages that it ran.
static void run_child(int threads)
{
    int ends[2];
    char stages[8] = {0};
    T_CHECK(pipe(ends) == 0, "pipe: %s", strerror(errno));
    pid_t child = fork();
    T_CHECK(child >= 0, "fork: %s", strerror(errno));
    if (child == 0) {
        alarm(20);
        report = ends[1];
        T_CHECK(atexit(late_handler) == 0 && atexit(early_handler) == 0, "atexit failed");
        fill_blocks(from_main);
        for (int i = 0; i < threads; i++) T_thread(keep_allocating, (void *)(uintptr_t)(i + 1));
        exit(0);
    }
    close(ends[1]);
    for (size_t length = 0; length < 3;) {
        ssize_t more = read(ends[0], stages + length, 3 - length);
        if (more <= 0) break;
        length += (size_t)more;
    }
    close(ends[0]);
    T_CHECK_CHILD(child);
    T_CHECK(strcmp(stages, "abc") == 0, "stages after main: '%s' instead of 'abc'", stages);
}

static void handlers_and_destructors_allocate(void)
{
    run_child(0);
}

static void exit_while_threads_allocate(void)
{
    for (int round = 0; round < 20; round++) run_child(2);
}

// In this process, not in a child: the normal end, with many handlers.
static void allocate_at_the_end(void)
{
    static struct block *blocks[BLOCKS];
    fill_blocks(blocks);
    free_blocks(blocks);
}

static void many_handlers_allocate(void)
{
    for (int i = 0; i < 100; i++) T_CHECK(atexit(allocate_at_the_end) == 0, "atexit failed");
}

int main(void)
{
    T_RUN(handlers_and_destructors_allocate);
    T_RUN(exit_while_threads_allocate);
    T_RUN(many_handlers_allocate);
    return 0;
}
