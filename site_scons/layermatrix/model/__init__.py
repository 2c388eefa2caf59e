"""The resolved project as plain data: layers, variants, the matrix and its cells."""
