#!/bin/sh
# sqlite3: a table of 100,000 rows is filled, indexed, queried, changed and checked.

. "$(dirname "$0")/data/common.sh"
need sqlite3

cat >queries.sql <<'END'
PRAGMA journal_mode = WAL;
PRAGMA cache_size = 2000;
CREATE TABLE item (id INTEGER PRIMARY KEY, kind INTEGER, name TEXT, price REAL, note TEXT);
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100000)
INSERT INTO item
SELECT n, n * 7919 % 97, 'name ' || (n * 2654435761 % 1000003), n * 31 % 10007 / 8.0,
       substr(hex(n * 6364136223846793005), 1, n % 40) FROM numbers;
CREATE INDEX by_kind ON item(kind, price);
CREATE INDEX by_name ON item(name);
SELECT count(*), sum(price), min(name), max(name), sum(length(note)) FROM item;
SELECT kind, count(*), sum(price), group_concat(id / 50 % 10, '') FROM item WHERE id % 50 = 0
 GROUP BY kind ORDER BY kind LIMIT 12;
SELECT a.kind, count(*) FROM item a JOIN item b
    ON b.kind = a.kind AND b.price BETWEEN a.price AND a.price + 20 AND b.id > a.id
 GROUP BY a.kind ORDER BY count(*) DESC, a.kind LIMIT 8;
SELECT id, name FROM item ORDER BY note DESC, id LIMIT 10;
SELECT count(*) FROM (SELECT DISTINCT substr(note, 1, 6) FROM item);
UPDATE item SET note = note || name WHERE kind < 40;
DELETE FROM item WHERE id % 3 = 0;
SELECT count(*), sum(length(note)), sum(price) FROM item;
SELECT count(*) FROM item WHERE name LIKE '%77%' AND note GLOB '*3*';
VACUUM;
PRAGMA integrity_check;
END

preloaded sqlite3 items.db <queries.sql
preloaded sqlite3 items.db .dump | sha256sum
