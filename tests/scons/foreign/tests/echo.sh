#!/bin/sh
# A program that has nothing to do with the pool, and is not disturbed by it.
env LD_PRELOAD="$PRELOAD" echo hello
