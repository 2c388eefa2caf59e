"""Compare what was measured: experiments, counters and their lock, cost by layer, reported and measured."""
