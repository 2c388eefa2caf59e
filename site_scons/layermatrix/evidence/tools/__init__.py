"""Run the tools that count: cachegrind, callgrind, perf."""
