"""What a built cell proves about itself: instructions, debug output, counted misses, programs run.

One module is one kind: its record, how it is declared in a build and taken, its columns, and what had to be
so (`kind.Kind`). `registry` names them all, `declaring` makes their nodes through `builder.Builder`.
`binary/`, `source/` and `tools/` have what the kinds read and run.
"""
