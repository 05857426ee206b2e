"""Figures: measurements in, matplotlib figures out. Nothing is measured here and no window is opened."""
