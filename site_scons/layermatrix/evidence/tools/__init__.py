"""Run the counting tools: Cachegrind, Callgrind, perf."""
