"""Finds releases, repositories and folders without a wheel, and what they need: read or built, confined."""
