"""Print the header of a resolved variant, and record which line belongs to which layer."""
