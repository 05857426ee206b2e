"""Measures time, memory and floating-point operations, and fits how memory grows with the size."""
