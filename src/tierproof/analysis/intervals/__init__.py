"""Intervals around what was measured on a few examples: exact ones for shares, resampled ones for means."""
