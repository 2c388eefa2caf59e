"""A resolved variant -> the text of its header, and which line belongs to which layer."""
