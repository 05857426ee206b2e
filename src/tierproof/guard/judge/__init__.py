"""Turns a resolution into a `Plan` with a verdict, its conflicts and an explanation."""
