"""Attention weights in bands, blocks or pieces: where each came from, and its place in a row over all keys."""
