"""Keep user names, passwords and tokens out of what is shown or written down."""

from __future__ import annotations

import re

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")


def hide_credentials(text: str) -> str:
    """Replace the user name, password or token of each URL in `text` by `****`."""
    return _CREDENTIALS.sub("****@", text)
