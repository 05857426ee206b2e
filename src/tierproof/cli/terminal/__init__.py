"""What commands share to print results, progress and errors, and to answer Ctrl-C."""
