#!/bin/sh
# Python's own tests of json, dict, threading and subprocess, with every object from malloc. Each test must have the
# same result with and without the library.
#
# Without a soak test, only some of the tests run. Their output is not compared: it contains times and addresses.

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
