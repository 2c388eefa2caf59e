#!/bin/sh
# redis-server runs redis-benchmark and a fixed series of commands; its data must be the same after a restart.
#
# The server listens only on a socket in the current folder.

. "$(dirname "$0")/data/common.sh"
for program in redis-server redis-benchmark redis-cli awk; do need "$program"; done

requests=4000
rounds=20000
if soaking; then
    requests=200000
    rounds=500000
fi
server=
debug='--enable-debug-command yes' # since version 7, debug commands have to be enabled
case $(redis-server --version) in *v=[1-6].*) debug= ;; esac

start() {
    # shellcheck disable=SC2086 # two words, or none
    preloaded redis-server --port 0 --unixsocket ./redis.sock --save '' --appendonly no --dir . \
        --logfile log $debug &
    server=$!
    for _ in $(seq 200); do
        [ "$(redis-cli -s ./redis.sock ping 2>&1)" = PONG ] && return
        sleep 0.05
    done
    exit 1
}

# stop WORD: shut the server down; `save` or `nosave`.
stop() {
    redis-cli -s ./redis.sock shutdown "$1"
    wait "$server"
    server=
}

finish() {
    status=$?
    [ "$status" = 0 ] || cat log
    [ -z "$server" ] || kill -KILL "$server"
    exit "$status"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

# Strings that grow and shrink, hashes, lists, sets and sorted sets over a thousand keys, which are also deleted.
commands() {
    awk -v rounds="$rounds" 'BEGIN {
        state = 31
        for (i = 0; i < rounds; i++) {
            state = state * 16807 % 2147483647
            key = int(state / 13) % 1000
            text = substr("abcdefghijklmnopqrstuvwxyz", state % 25 + 1)
            kind = state % 11
            if (kind == 0) print "SET string" key, text i
            if (kind == 1) print "APPEND string" key, text text text
            if (kind == 2) print "SETRANGE string" key, state % 3000, text
            if (kind == 3) print "HSET hash" key % 50, "field" i % 700, text
            if (kind == 4) print "HDEL hash" key % 50, "field" (i * 7) % 700
            if (kind == 5) print "RPUSH list" key % 40, text, i, text i
            if (kind == 6) print "LTRIM list" key % 40, 1, 400
            if (kind == 7) print "SADD set" key % 30, text, i % 2000
            if (kind == 8) print "ZADD sorted" key % 20, state % 5000, text i % 3000
            if (kind == 9) print "ZREMRANGEBYRANK sorted" key % 20, 0, 1
            if (kind == 10) print "DEL string" key
        }
    }'
}

# What a client can see of all this.
digest() {
    redis-cli -s ./redis.sock debug digest
    redis-cli -s ./redis.sock dbsize
    for key in hash3 list3 set3 sorted3; do redis-cli -s ./redis.sock object encoding "$key"; done
    redis-cli -s ./redis.sock lrange list3 0 4
    redis-cli -s ./redis.sock zrange sorted3 0 4 withscores
}

start
preloaded redis-benchmark -s ./redis.sock -n "$requests" -c 20 -P 8 -r 1000 -d 100 --csv \
    -t ping,set,get,incr,lpush,rpop,sadd,hset,zadd,lrange_100,mset >benchmark
cut -d, -f1 benchmark
redis-cli -s ./redis.sock flushall
commands | preloaded redis-cli -s ./redis.sock >replies
sha256sum <replies
digest >before
cat before
stop save
start
digest | cmp - before
stop nosave
