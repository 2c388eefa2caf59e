# The common part of the program scripts. A script sources it with `.`; the current folder is new and empty.
#
# The build runs a script once with PRELOAD empty (once per cell if the script names LAYERED_CELL), and once with
# PRELOAD naming each library. The script must print the same text every time: no times, addresses or process ids. A
# script that cannot run exits with 77 and prints the reason in its last line.

set -eu
LC_ALL=C
TZ=UTC
export LC_ALL TZ

data=$(dirname "$0")/data

# need PROGRAM [PACKAGE]: end the script as "not run" if a program is missing.
need() {
    command -v "$1" >/dev/null 2>&1 && return
    echo "$1 is not installed${2:+ (package $2)}"
    exit 77
}

# preloaded COMMAND...: run what is under test.
preloaded() {
    env LD_PRELOAD="${PRELOAD:-}" "$@"
}

# soaking: whether the long form was requested.
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
