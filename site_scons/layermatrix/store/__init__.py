"""The store of results: one SQLite file with the figures of every job that measures."""
