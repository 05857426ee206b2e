"""Predicts what a plain `pip install` would replace."""
