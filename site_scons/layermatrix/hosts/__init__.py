"""Bundles of cells, which run on other hosts: what they contain, where they run, and what comes back."""
