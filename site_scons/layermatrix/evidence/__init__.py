"""Evidence about a built cell: instructions, debug output, counted misses, test results.

One module defines one kind: its record, its build nodes, how it is taken, its columns and its checks (see
`kind.Kind`). `registry` lists the kinds. `build_nodes` creates their nodes through `builder.Builder`.
`binary/`, `source/` and `tools/` read code and run tools for them; `taking/` runs programs, here and on other
hosts.
"""
