"""Functions that analyse a model: what it attends to, and how much of it is in use."""
