"""Sizes of a model and its machine: parameters, bytes, device memory, threads, ranges of values."""
