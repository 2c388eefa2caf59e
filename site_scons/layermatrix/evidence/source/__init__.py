"""Read C text: tokens, guarded code, debug statements, where a line was written."""
