"""Loads models, works out how to call them and what they are, and measures them without changing them."""
