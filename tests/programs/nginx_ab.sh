#!/bin/sh
# nginx with two workers serves files, partly compressed, to ab.

. "$(dirname "$0")/data/common.sh"
need nginx
need ab apache2-utils

requests=2000
soaking && requests=100000

finish() {
    status=$?
    [ "$status" = 0 ] || cat errors
    [ ! -s pid ] || kill -TERM "$(cat pid)" || :
    exit "$status"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

mkdir files temporary
for size in 10 3000 200000; do head -c "$size" /dev/zero | tr '\0' x >"files/$size.txt"; done
user=
[ "$(id -u)" != 0 ] || user="user root $(id -gn);" # the workers have to read the current folder

configure() {
    cat >nginx.conf <<END
$user
daemon off;
worker_processes 2;
pid pid;
error_log errors;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path temporary;
    proxy_temp_path temporary;
    fastcgi_temp_path temporary;
    uwsgi_temp_path temporary;
    scgi_temp_path temporary;
    gzip on;
    gzip_min_length 100;
    types { text/plain txt; }
    gzip_types text/plain;
    server { listen 127.0.0.1:$1; root files; }
}
END
}

# The port may be in use: tries another one then.
start() {
    : >errors
    configure "$1"
    preloaded nginx -p "$PWD" -c nginx.conf -e errors &
    server=$!
    for _ in $(seq 100); do
        [ ! -s pid ] || return 0
        kill -0 "$server" 2>/dev/null || return 1
        sleep 0.05
    done
    return 1
}

port=$((20000 + $$ % 20000))
start "$port" || { port=$((port + 137)) && start "$port"; }
for size in 10 3000 200000; do
    ab -q -k -c 8 -n "$requests" -H 'Accept-Encoding: gzip' "http://127.0.0.1:$port/$size.txt" >report
    grep -E '^(Document Length|Complete requests|Failed requests):' report
done
kill -QUIT "$(cat pid)"
wait "$server"
