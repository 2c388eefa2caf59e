"""Where bundles run: one module per executor behind one interface, in the shape of `concurrent.futures`."""
