"""Profiles: what one domain of hot paths adds to the core. A catalogue may name its profile."""
