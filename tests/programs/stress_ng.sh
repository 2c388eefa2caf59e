#!/bin/sh
# stress-ng's stressors of malloc and realloc, and of trees and lists whose nodes come from malloc, in 1 GB of
# addresses. A soak runs them for about as long as it says.
#
# The stressor of malloc (0.15.06) now and then asks calloc for fewer than 8 bytes and writes 8, for which
# `checks: full` ends it. So it gets large blocks, where that is rare, and the same random numbers at each run.

. "$(dirname "$0")/data/common.sh"
need stress-ng

ulimit -v 1000000

# stress WORD...: print whether it passed, and what was wrong. A stressor that dies is started again by stress-ng and
# passes; only the verbose log tells.
stress() {
    echo "stress-ng $*"
    status=0
    preloaded stress-ng --verbose --no-rand-seed --verify --temp-path . "$@" >log 2>&1 || status=$?
    grep -oE '(fail|error): .*|child died.*|successful run completed|out of range.*|unrecognized.*' log || cat log
    return "$status"
}

if soaking; then
    part="$((LAYERED_SOAK / 3 + 1))s"
    stress --malloc 1 --malloc-bytes 256K --malloc-ops 60000
    stress --bigheap 1 --timeout "$part"
    stress --skiplist 2 --timeout "$part"
    stress --tsearch 2 --timeout "$part"
    exit
fi
stress --malloc 1 --malloc-bytes 64K --malloc-ops 15000
stress --bigheap 1 --bigheap-growth 64K --bigheap-ops 1000
stress --skiplist 1 --skiplist-size 65536 --skiplist-ops 8
stress --tsearch 1 --tsearch-size 65536 --tsearch-ops 3
