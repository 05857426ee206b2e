"""Tier 2: thresholds and findings over what `analysis` measures."""
