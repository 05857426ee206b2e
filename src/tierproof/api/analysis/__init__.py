"""Functions that analyse a model: what it attends to, and what its answers hang on."""
