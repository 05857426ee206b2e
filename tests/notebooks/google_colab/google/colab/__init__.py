"""A small stand-in for Colab's own module: the same names, calls and results; a folder stands for the browser."""

from google.colab import drive, files, output, userdata

__all__ = ["drive", "files", "output", "userdata"]
