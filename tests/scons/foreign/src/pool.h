// A pool of buffers: class 0 is a page, class 1 is huge.
#ifndef POOL_H
#define POOL_H

void *pool_take(unsigned class);
void pool_give(unsigned class, void *buffer);

#endif
