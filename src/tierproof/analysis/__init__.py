"""Measurements that explain a model: frozen results, no thresholds, no judgement."""
