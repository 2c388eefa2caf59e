#!/bin/sh
# awk and the core utilities sort a generated table with two threads, then count, join and sum its rows.

. "$(dirname "$0")/data/common.sh"
for program in awk sort uniq join sha256sum tr; do need "$program"; done

preloaded awk 'BEGIN {
    state = 99
    for (i = 0; i < 200000; i++) {
        state = state * 16807 % 2147483647
        tail = substr("abcdefghijklmnopqrstuvwxyz", state % 20 + 1)
        printf "%d word%d %s\n", state % 100000, int(state / 7) % 5000, tail
    }
}' >table
sha256sum <table

preloaded sort --parallel=2 --buffer-size=2M -k2,2 -k1,1n table >by_word
sha256sum <by_word
preloaded sort -u -t ' ' -k2,2 table >one_of_each
preloaded awk '{ print $2 }' by_word | preloaded uniq -c >counts
sort -k1,1nr -k2,2 counts | head -10
preloaded join -1 2 -2 2 by_word one_of_each | sha256sum
preloaded awk '{ sum[$2] += $1; text[$2] = text[$2] substr($3, 1, 1) }
    END { for (word in sum) print word, sum[word], length(text[word]) }' table | sort >sums
sha256sum <sums
head -5 sums
preloaded tr 'a-z' 'A-Z' <table | sha256sum
