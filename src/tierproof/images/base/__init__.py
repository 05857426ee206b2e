"""Makes a list into the base of a plan: what its packages require, load and contain."""
