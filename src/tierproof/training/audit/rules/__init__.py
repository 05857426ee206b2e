"""Judges the recorded steps: one file per rule, each a pure function from the evidence to findings."""
