"""What every package builds on: errors with positions, records and their JSON, processes, interrupts."""
