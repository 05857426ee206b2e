"""Measurements as matplotlib figures."""
