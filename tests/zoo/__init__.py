"""Healthy models, hand-written and from transformers configs, for tests and benchmarks."""
