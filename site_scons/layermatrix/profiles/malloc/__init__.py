"""Allocators: keys are size classes, and a request is served by the smallest one that holds it."""
