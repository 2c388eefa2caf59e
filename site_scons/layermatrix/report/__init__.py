"""Print a result record in every form that a reader or a machine asks for, one module an exporter."""
