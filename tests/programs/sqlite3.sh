#!/bin/sh
# sqlite3 fills, indexes, queries, changes and checks a table of a million rows. A soak test indexes and changes all
# rows, otherwise only some of them.

. "$(dirname "$0")/data/common.sh"
need sqlite3

part='id % 20 = 0'
table=part
if soaking; then
    part=true
    table=item
fi

cat >queries.sql <<END
PRAGMA journal_mode = MEMORY;
PRAGMA synchronous = OFF;
PRAGMA cache_size = 2000;
CREATE TABLE item (id INTEGER PRIMARY KEY, kind INTEGER, name TEXT, price REAL, note TEXT);
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1000000)
INSERT INTO item
SELECT n, n * 7919 % 97, 'name ' || (n * 2654435761 % 1000003), n * 31 % 10007 / 8.0,
       substr(n * 6364136223846793005, 1, n % 20) FROM numbers;
CREATE INDEX by_kind ON item(kind, price) WHERE $part;
CREATE INDEX by_name ON item(name) WHERE $part;
PRAGMA journal_mode = WAL;
SELECT count(*), sum(price), min(name), max(name), sum(length(note)) FROM item;
SELECT kind, count(*), sum(price), group_concat(id / 50 % 10, '') FROM item WHERE id % 50 = 0
 GROUP BY kind ORDER BY kind LIMIT 12;
SELECT a.kind, count(*) FROM item a JOIN item b
    ON b.kind = a.kind AND b.price BETWEEN a.price - 9 AND a.price + 9 AND b.id > a.id
 WHERE a.id % 200 = 0 AND b.id % 20 = 0
 GROUP BY a.kind ORDER BY count(*) DESC, a.kind LIMIT 8;
SELECT id, name FROM item ORDER BY note DESC, id LIMIT 10;
SELECT count(*) FROM (SELECT DISTINCT substr(note, 1, 6) FROM item WHERE $part);
UPDATE item SET note = note || name WHERE kind < 40 AND $part;
DELETE FROM item WHERE id % 3 = 0 AND $part;
SELECT count(*), sum(length(note)), sum(price) FROM item WHERE $part;
SELECT count(*) FROM item WHERE name LIKE '%77%' AND note GLOB '*3*' AND $part;
CREATE TABLE part AS SELECT * FROM item WHERE id % 20 = 1;
VACUUM;
PRAGMA integrity_check;
END

preloaded sqlite3 items.db <queries.sql
preloaded sqlite3 items.db ".dump $table" | sha256sum
