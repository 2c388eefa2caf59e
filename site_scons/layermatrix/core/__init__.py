"""The basis of every package: errors with positions, records and their JSON, processes, interrupts."""
