"""Hosted images as bases of a plan: what is installed there, read from freeze lists and the package index."""
