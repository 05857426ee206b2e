"""Stores added packages in immutable folders and decides which one is on `sys.path`."""
