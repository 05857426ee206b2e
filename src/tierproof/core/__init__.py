"""Frozen data that flows one way: findings, results, reports. Imports nothing heavy."""
