"""Small models for the loops to train."""
