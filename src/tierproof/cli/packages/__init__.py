"""The commands about packages: `plan`, `install`, `doctor`, `heal` and their like."""
