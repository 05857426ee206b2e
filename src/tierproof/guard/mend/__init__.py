"""Finds packages whose files were replaced while they were loaded, and puts the files back."""
