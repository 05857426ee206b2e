"""Loops that faults are planted in: each a plain file that ends with the arguments of `tierproof.audit`."""
