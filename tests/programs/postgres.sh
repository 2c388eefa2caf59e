#!/bin/sh
# PostgreSQL makes a cluster, runs its own benchmark, and answers queries about the result.

. "$(dirname "$0")/data/common.sh"
PATH=$PATH:$(echo /usr/lib/postgresql/*/bin | tr ' ' :) # where Debian keeps the server's programs
for program in initdb postgres psql pgbench; do need "$program" postgresql; done
need setpriv util-linux

# The server refuses to run as root.
as_user() {
    if [ "$(id -u)" = 0 ]; then setpriv --reuid=65534 --regid=65534 --clear-groups -- "$@"; else "$@"; fi
}

ask() {
    as_user psql -h "$place" -U tester -d postgres -X -q -A -t -c "$1"
}

place=$(mktemp -d /tmp/postgres.XXXXXX) # the path of a socket has to be short
finish() {
    status=$?
    [ "$status" = 0 ] || cat "$place/log" || :
    [ ! -s "$place/data/postmaster.pid" ] || kill -INT "$(head -n 1 "$place/data/postmaster.pid")" || :
    wait
    rm -rf "$place"
    exit "$status"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM
[ "$(id -u)" != 0 ] || chown 65534:65534 "$place"

preloaded true # the build wants to see its own copy of the library used; the server's user may not reach that
[ -z "${PRELOAD:-}" ] || cp "$PRELOAD" "$place/library.so"
PRELOAD=${PRELOAD:+$place/library.so}
as_user env LD_PRELOAD="$PRELOAD" initdb -D "$place/data" -U tester -A trust --no-sync >"$place/log" 2>&1
as_user env LD_PRELOAD="$PRELOAD" postgres -D "$place/data" -k "$place" -c listen_addresses= -c fsync=off \
    >>"$place/log" 2>&1 &
for _ in $(seq 100); do
    ! ask 'select 1' >/dev/null 2>&1 || break
    sleep 0.1
done
as_user env LD_PRELOAD="$PRELOAD" pgbench -h "$place" -U tester -i -s 2 postgres >>"$place/log" 2>&1
as_user env LD_PRELOAD="$PRELOAD" pgbench -h "$place" -U tester -c 4 -j 2 -t 500 postgres >>"$place/log" 2>&1
ask 'select count(*) from pgbench_history'
ask 'select sum(abalance) = (select sum(delta) from pgbench_history) from pgbench_accounts'
ask "select md5(string_agg(n::text || repeat('x', n % 300), ',' order by n % 977, n)) from generate_series(1, 100000) n"
