"""Runs backward passes and compares gradients with finite differences."""
