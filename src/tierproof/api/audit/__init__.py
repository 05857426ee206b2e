"""The audit of a training step."""
