"""Runs code in a worker process whose packages may conflict with those of this process."""
