"""Tries the proposed calls until one works, and explains why none did."""
