"""Progress in a terminal or a notebook."""
