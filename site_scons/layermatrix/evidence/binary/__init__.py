"""Read compiled code: ELF files, line tables, instructions, the hit path."""
