"""The functions of the public contract."""
