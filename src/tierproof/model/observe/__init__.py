"""Watches a forward pass: which operations ran, with which tensors, in which module."""
