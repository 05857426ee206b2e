"""Sound loops in many styles: none of them may get an error."""
