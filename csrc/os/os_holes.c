// Holes: a ring of the latest ones.
#include "os/os_holes.h"

#include "os/lock.h"

static struct {
    os_lock_t lock;
    unsigned latest;
    os_hole_t ring[OS_HOLES];
} holes;

void os_holes_note(char *start, size_t size)
{
    os_lock(&holes.lock);
    holes.latest = (holes.latest + 1) % OS_HOLES;
    holes.ring[holes.latest] = (os_hole_t){start, size};
    os_unlock(&holes.lock);
}

os_hole_t os_holes_take(void)
{
    os_lock(&holes.lock);
    os_hole_t hole = holes.ring[holes.latest];
    holes.ring[holes.latest].size = 0;
    if (hole.size > 0) holes.latest = (holes.latest + OS_HOLES - 1) % OS_HOLES;
    os_unlock(&holes.lock);
    return hole;
}

void os_holes_before_fork(void)
{
    os_lock(&holes.lock);
}

void os_holes_after_fork(void)
{
    os_unlock(&holes.lock);
}
