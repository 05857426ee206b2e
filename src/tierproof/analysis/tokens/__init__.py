"""Edits token ids, rebuilds calls around them, and reaches their embeddings."""
