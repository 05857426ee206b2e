"""Findings, results, reports and verdicts: frozen data, and what every layer shares."""
