"""The fault bench: bugs of known kind and place, planted one at a time into models that are sound."""
