"""Compilers, the command line, the shell, and what a run of the build knows."""
