"""Tier 1: critical checks that need nothing but torch."""
