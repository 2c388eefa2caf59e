#!/bin/sh
# Python with json, threads and child processes; every Python object comes from malloc.

. "$(dirname "$0")/data/common.sh"
need_python

preloaded python3 -c 'import json, threading; print(json.dumps({"threads": threading.active_count()}))'
preloaded python3 "$data/json_threads.py"
