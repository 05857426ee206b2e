"""Downloads the notebooks' texts from GitHub into the folder of texts; they are not part of this repository."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from public_notebooks.notebook import Notebook


def fetch_texts(notebooks: Iterable[Notebook], texts: Path) -> None:
    """Download what is not there yet; tell what cannot be had."""
    texts.mkdir(parents=True, exist_ok=True)
    for notebook in notebooks:
        place = texts / notebook.file_name
        if place.exists():
            continue
        try:
            with urllib.request.urlopen(quote(notebook.address, safe=":/"), timeout=60) as answer:
                place.write_bytes(answer.read())
        except (OSError, urllib.error.URLError) as error:
            print(f"not fetched: {notebook.name}: {error}", file=sys.stderr, flush=True)
