"""Print results in every output format; each exporter is one module."""
