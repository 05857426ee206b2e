"""As google.colab.userdata: secrets by name; one that is absent, or not granted to this notebook, raises."""

import os
from pathlib import Path

_BROWSER = Path(os.environ.get("COLAB_STAND_IN", "browser"))


class SecretNotFoundError(Exception):
    """There is no secret of that name."""

    def __init__(self, key):
        super().__init__(f"Secret {key} does not exist.")


class NotebookAccessError(Exception):
    """The notebook was not granted access."""

    def __init__(self, key):
        super().__init__(f"Notebook does not have access to secret {key}")


def get(key):
    """Read a secret."""
    path = _BROWSER / "secrets" / key
    if not path.exists():
        raise SecretNotFoundError(key)
    return path.read_text()
