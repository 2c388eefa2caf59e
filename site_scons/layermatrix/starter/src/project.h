// What users include. The hot path is generated: @name@_gen.h.
#ifndef @NAME@_H
#define @NAME@_H

// The number of steps from a key to 1: an even number is halved, an odd one is tripled and gets 1 added. The key is not 0.
unsigned @name@_compute(unsigned key);

// The same through the layers of the variant, for programs that do not inline the hot path.
unsigned @name@_steps(unsigned key);

#endif
