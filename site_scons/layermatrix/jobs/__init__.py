"""What a target that drives builds of its own does."""
