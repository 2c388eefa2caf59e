"""Timing: the order of the runs (`runner`) and what their figures allow to say (`stats`)."""
