# What the program scripts share. Read with `.`; the current folder is a fresh one.
#
# A script is run with PRELOAD empty, once for all cells unless it names LAYERED_CELL, and with PRELOAD naming each
# library, and has to print the same every time: no clock, addresses or process numbers. Exit status 77 and a last line
# with the reason: not run.

set -eu
LC_ALL=C
TZ=UTC
export LC_ALL TZ

data=$(dirname "$0")/data

# need PROGRAM: end the script as "not run" where a program is missing.
need() {
    command -v "$1" >/dev/null 2>&1 && return
    echo "$1 is not installed"
    exit 77
}

# preloaded COMMAND...: run what is under test.
preloaded() {
    env LD_PRELOAD="${PRELOAD:-}" "$@"
}

# soaking: whether the long form is asked for.
soaking() {
    [ -n "${LAYERED_SOAK:-}" ]
}

# need_python: a Python that has every object from malloc, and runs alike each time.
need_python() {
    need python3
    PYTHONMALLOC=malloc
    PYTHONHASHSEED=0
    PYTHONDONTWRITEBYTECODE=1
    export PYTHONMALLOC PYTHONHASHSEED PYTHONDONTWRITEBYTECODE
}
