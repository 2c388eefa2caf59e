"""Run programs in turn and keep their figures: timing, statistics, peers."""
