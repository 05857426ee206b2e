"""Functions that analyse a model: what it attends to, what decides its answers, and how much of it is in use."""
