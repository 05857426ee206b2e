"""Takes batches apart: their rows, their padding, other orders of their rows."""
