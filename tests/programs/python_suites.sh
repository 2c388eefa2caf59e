#!/bin/sh
# Python's own tests of json, dict, threading and subprocess, every object from malloc: each test ends the same way.
#
# A part of the tests, but for a soak. What they print is not compared: there are clocks and addresses in it.

. "$(dirname "$0")/data/common.sh"
need_python

whole=
if soaking; then whole=--whole; fi
status=0
preloaded python3 "$data/python_suites.py" "$PWD/outcomes" $whole >log 2>&1 || status=$?
if [ "$status" != 0 ]; then
    tail -40 log
    exit "$status"
fi
cat outcomes
