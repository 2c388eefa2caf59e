"""What one domain of hot paths adds to the core."""
