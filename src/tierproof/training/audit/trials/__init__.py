"""Runs the few steps that the rules look at, each from a known state."""
