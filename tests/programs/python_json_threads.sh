#!/bin/sh
# Python with json, threads and child processes, every object of it from malloc.

. "$(dirname "$0")/data/common.sh"
need python3

PYTHONMALLOC=malloc
PYTHONHASHSEED=0
PYTHONDONTWRITEBYTECODE=1
export PYTHONMALLOC PYTHONHASHSEED PYTHONDONTWRITEBYTECODE

preloaded python3 -c 'import json, threading; print(json.dumps({"threads": threading.active_count()}))'
preloaded python3 "$data/json_threads.py"
