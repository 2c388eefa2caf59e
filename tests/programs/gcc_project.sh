#!/bin/sh
# gcc compiles and links the project's own library from the cell's sources. The objects and the library must be
# identical with and without the library preloaded. A soak test also uses other optimisation levels.

. "$(dirname "$0")/data/common.sh"
need gcc

top=$(cd "$(dirname "$0")/../.." && pwd)

# The cell's objects show the library's files; the name of a file for the static library alone contains `static`.
sources() {
    find "$LAYERED_CELL/obj" -name '*.o' | sort | while read -r object; do
        name=${object#"$LAYERED_CELL/obj/"}
        name=${name%.o}
        case $name in bench/* | *_static) continue ;; esac
        for source in "$LAYERED_CELL/gen/$name.c" "$top/csrc/$name.c"; do
            if [ -f "$source" ]; then echo "$source"; fi
        done
    done
}

# library FLAG...: compile and link with these flags.
library() {
    rm -f ./*.o
    sources | while read -r source; do
        preloaded gcc -std=gnu11 "$@" -fPIC -pthread -DNDEBUG -DHAKMEM_BUILD_RELEASE=1 \
            -I"$LAYERED_CELL/gen" -I"$top/csrc" -c "$source"
    done
    preloaded gcc -shared -pthread -o library.so ./*.o
    echo "gcc $*"
    sha256sum ./*.o library.so
}

library -O2
if soaking; then
    library -O0 -g
    library -O3 -g
    library -Os -fno-inline
fi
