"""Models with one planted bug each. FAULTS of each module maps a name to (builder, code, where, severity)."""
