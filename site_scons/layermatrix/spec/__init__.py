"""Read the YAML files into the resolved project, or report every mistake in them at once."""
