"""What one domain of hot paths adds to the core: a catalogue names its profile, or none."""
