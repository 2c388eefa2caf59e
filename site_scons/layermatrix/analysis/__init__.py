"""Comparisons: experiments, counters and their lock, cost by layer, reported against measured figures."""
