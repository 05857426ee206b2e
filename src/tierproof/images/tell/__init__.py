"""Comparisons, timelines and reports made from lists and answers."""
