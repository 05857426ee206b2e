"""Compares the answers of two forward passes, and finds the module where they begin to differ."""
