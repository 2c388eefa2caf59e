-- A store of version 2 with one run: tests/unit/test_store.py brings it to today's version.
CREATE TABLE machines (
  id TEXT PRIMARY KEY,
  cpu TEXT NOT NULL,
  cpu_flags TEXT NOT NULL,
  cores INTEGER NOT NULL,
  architecture TEXT NOT NULL,
  kernel TEXT NOT NULL,
  libc TEXT NOT NULL
);
CREATE TABLE runs (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  job TEXT NOT NULL,
  started TEXT NOT NULL,
  finished TEXT NOT NULL,
  commit_hash TEXT NOT NULL,
  commit_time INTEGER NOT NULL,
  commit_order INTEGER NOT NULL DEFAULT 0,
  dirty INTEGER NOT NULL,
  command TEXT NOT NULL,
  seed INTEGER,
  machine TEXT NOT NULL REFERENCES machines(id),
  conditions TEXT NOT NULL
);
CREATE INDEX runs_by_commit ON runs (commit_hash, job);
CREATE TABLE subjects (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  source TEXT NOT NULL,
  variant TEXT NOT NULL,
  mode TEXT NOT NULL,
  compiler TEXT NOT NULL,
  sanitizer TEXT NOT NULL,
  target TEXT NOT NULL,
  axes TEXT NOT NULL,
  library_digest TEXT NOT NULL,
  compiler_version TEXT NOT NULL
);
CREATE INDEX subjects_by_name ON subjects (name);
CREATE TABLE figures (
  run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
  subject INTEGER NOT NULL REFERENCES subjects(id),
  load TEXT NOT NULL,
  figure TEXT NOT NULL,
  unit TEXT NOT NULL,
  better TEXT NOT NULL,
  kind TEXT NOT NULL,
  load_digest TEXT NOT NULL,
  median REAL NOT NULL,
  low REAL NOT NULL,
  high REAL NOT NULL,
  samples TEXT,
  PRIMARY KEY (run, subject, load, figure)
) WITHOUT ROWID;
CREATE INDEX figures_by_subject ON figures (subject, figure, load, run);
CREATE INDEX figures_by_load ON figures (figure, load, run);
PRAGMA application_id = 1819112056;
PRAGMA user_version = 2;
INSERT INTO machines VALUES ('m1', 'A CPU', 'f1', 2, 'x86_64', 'Linux 6.1', 'glibc 2.36');
INSERT INTO runs VALUES (1, 'k1', 'bench', '2026-01-31T12:00:00Z', '2026-01-31T12:01:00Z', 'c1', 1769860000, 7, 0,
  'scons bench', NULL, 'm1', '{}');
INSERT INTO subjects VALUES (1, 's1', 'small-release-gcc', 'cell', 'small', 'release', 'gcc', 'none', 'native', '{}',
  'd1', 'gcc 12.2.0');
INSERT INTO figures VALUES (1, 1, 'churn', 'speed', 'M/s', 'higher', 'timed', 'l1', 10.0, 9.5, 10.5, '[9.5, 10.0, 10.5]');
