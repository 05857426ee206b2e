"""The watch: an IPython extension that plans install commands before they run, and `%tierproof`."""
