// Thread-local state: it and the front are owned, left, and copied together.
#include "thread/tiny_tls.h"

#include "os/os.h"

HAK_TLS tiny_thread_t tiny_thread;

// ---- the front, in the thread-local state or apart from it

#if TINY_OPTION_FRONT_APART

static const tiny_front_t initial_front = TINY_FRONT_INITIAL;
#define INITIAL_FRONT ((tiny_front_t *)(uintptr_t)&initial_front) // never written to
HAK_TLS tiny_front_t *tiny_front_apart = INITIAL_FRONT;

bool tiny_tls_make_front(tiny_heap_t *heap)
{
    if (heap->front != NULL) return true;
    tiny_front_t *front = os_metadata(sizeof *front);
    if (front == NULL) return false;
    *front = initial_front;
    heap->front = front;
    return true;
}

static void take_front(const tiny_heap_t *heap)
{
    tiny_front_apart = heap->front;
}

static void leave_front(void)
{
    tiny_front.tag = TINY_NO_TAG;
    tiny_front_apart = INITIAL_FRONT;
}

// What a forked child copies of another thread's front: nothing, because the heap has it.
typedef tiny_front_t *left_front_t;
#define FRONT_LEFT_BY(thread) ((void)(thread), INITIAL_FRONT)
#define FRONT_HERE tiny_front_apart

#else

HAK_TLS tiny_front_t tiny_front = TINY_FRONT_INITIAL;

bool tiny_tls_make_front(tiny_heap_t *heap)
{
    (void)heap;
    return true;
}

static void take_front(const tiny_heap_t *heap)
{
    (void)heap;
    tiny_thread.front = &tiny_front;
}

static void leave_front(void)
{
    tiny_front.tag = TINY_NO_TAG;
}

// What a forked child copies of another thread's front: all of it.
typedef tiny_front_t left_front_t;
#define FRONT_LEFT_BY(thread) (*(thread)->front)
#define FRONT_HERE tiny_front

#endif

// ---- owning

void tiny_tls_own(tiny_heap_t *heap)
{
    take_front(heap);
    tiny_thread.heap = heap;
    heap->thread = &tiny_thread;
    tiny_front.tag = TINY_OWN_TAG(heap->id);
#if TINY_MARKS
    tiny_front.key = tiny_secret();
#endif
}

void tiny_tls_leave(void)
{
    tiny_thread.detached = true;
    tiny_thread.heap = NULL;
    leave_front();
}

bool tiny_tls_is_in_change(void)
{
    return tiny_thread.heap != NULL && tiny_thread.heap->changes > 0;
}

void tiny_tls_give_up_change(void)
{
    if (!tiny_tls_is_in_change()) return;
    tiny_thread.heap->changes = 1;
    tiny_heap_end(tiny_thread.heap);
}

// ---- copies

// A copy of a vanished thread's state: a new thread may reuse the original's memory.
typedef struct left {
    tiny_thread_t thread;
    left_front_t front;
} left_t;

void *tiny_tls_copy(const void *thread)
{
    const tiny_thread_t *of = thread;
    left_t *copy = os_metadata(sizeof *copy);
    if (copy != NULL) *copy = (left_t){*of, FRONT_LEFT_BY(of)};
    return copy;
}

// Swaps byte by byte: a copy of a thread's whole state may not fit on a small stack.
static void swap(void *one, void *other, size_t size)
{
    for (char *a = one, *b = other; size > 0; size--, a++, b++) {
        char kept = *a;
        *a = *b;
        *b = kept;
    }
}

void tiny_tls_change_places(void *copy)
{
    left_t *left = copy;
    swap(&tiny_thread, &left->thread, sizeof tiny_thread);
    swap(&FRONT_HERE, &left->front, sizeof left->front);
}
