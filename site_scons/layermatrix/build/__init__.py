"""Compilers, the command line, the shell, and the state of one build."""
