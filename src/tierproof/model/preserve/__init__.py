"""Records everything a check could change about a model or the process, and puts it back."""
