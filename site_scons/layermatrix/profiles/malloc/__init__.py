"""The profile of allocators: keys are size classes; the smallest class that fits serves a request."""
