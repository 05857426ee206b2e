"""Plans an install on each image, and keeps the answers."""
