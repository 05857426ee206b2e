"""The guard: what is installed, what is loaded, and what an install would do. Standard library, packaging and uv."""
