#!/bin/sh
# stress-ng's stressors of malloc and realloc, and of trees and lists whose nodes come from malloc, in 1 GB of
# address space. A soak test runs them for about the requested time.
#
# The malloc stressor of version 0.15.06 sometimes requests fewer than 8 bytes from calloc and writes 8; then
# `checks: full` aborts it. So the script gives it large blocks, where this is rare, and a fixed random seed.

. "$(dirname "$0")/data/common.sh"
need stress-ng

ulimit -v 1000000

# stress WORD...: print whether it passed, and what was wrong. stress-ng restarts a stressor that dies, and
# reports a pass; only the verbose log shows the death.
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
