"""Tier 3: audits training steps."""
