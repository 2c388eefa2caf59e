"""Read C text: tokens, guarded code, debug statements, the origin of a line."""
