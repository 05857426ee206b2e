"""The steps behind the cells of tierproof's own notebooks."""
