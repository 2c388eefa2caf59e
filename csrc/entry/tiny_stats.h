// Statistics of the allocator, layer by layer.
#ifndef TINY_STATS_H
#define TINY_STATS_H

// Writes the calling thread's layers and the backend's totals to stderr. Allocates nothing.
void tiny_stats_print(void);

#endif
