"""Resolves a request with uv on top of a base, and reads the lock that uv gives."""
