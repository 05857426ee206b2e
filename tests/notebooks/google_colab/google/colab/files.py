"""As google.colab.files: `upload` gives bytes by name and writes the files to the working folder."""

import os
import shutil
from pathlib import Path

_BROWSER = Path(os.environ.get("COLAB_STAND_IN", "browser"))


def upload(target_dir=""):
    """Everything in the folder `to_upload` of the stand-in browser; a name that is taken gets a number."""
    uploaded = {}
    for path in sorted((_BROWSER / "to_upload").glob("*")):
        target = Path(target_dir, path.name)
        number = 1
        while target.exists():
            target = Path(target_dir, f"{path.stem} ({number}){path.suffix}")
            number += 1
        content = path.read_bytes()
        target.write_bytes(content)
        uploaded[str(target)] = content
        print(f"Saving {path.name} to {target}")
    return uploaded


def download(filename):
    """Hand the file to the browser."""
    if not Path(filename).exists():
        raise FileNotFoundError(f"Cannot find file: {filename}")
    (_BROWSER / "downloads").mkdir(parents=True, exist_ok=True)
    shutil.copy(filename, _BROWSER / "downloads")
