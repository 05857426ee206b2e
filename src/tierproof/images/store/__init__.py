"""Keeps verified lists on this machine, and fetches new ones from their sources."""
