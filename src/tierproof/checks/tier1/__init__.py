"""Tier 1: critical checks that need torch and nothing else."""
