"""YAML files -> the resolved project, or every mistake in them at once."""
