"""Parses requirements, requirements files, pip commands and shell text into requests."""
