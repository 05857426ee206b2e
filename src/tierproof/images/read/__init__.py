"""Finds the install commands of notebooks and requirements files, without running them."""
