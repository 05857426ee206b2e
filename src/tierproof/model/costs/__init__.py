"""Measures time, memory and floating-point operations, and forecasts those of training."""
