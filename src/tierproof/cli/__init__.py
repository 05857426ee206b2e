"""The command line: the process that the user started imports no torch; a child does the work."""
