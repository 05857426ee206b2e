"""The checks, their registry and their runner: measurements in, findings out."""
