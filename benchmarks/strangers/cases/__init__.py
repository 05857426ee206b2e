"""The cases by the field of their models; a field that is imported registers its own."""

from strangers.case import CASES
from strangers.cases import audio, images, language, series, tables, transformer_libraries, vision_libraries

__all__ = [
    "CASES",
    "audio",
    "images",
    "language",
    "series",
    "tables",
    "transformer_libraries",
    "vision_libraries",
]
