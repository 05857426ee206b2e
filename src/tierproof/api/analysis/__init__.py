"""Functions that analyse a model: what it attends to."""
