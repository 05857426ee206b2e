"""Models: how they are loaded, called, described and left untouched."""
