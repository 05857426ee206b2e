"""Download the config, weights and code of a model id from a hub into a local folder."""

from __future__ import annotations

import ast
import hashlib
import re
from pathlib import Path

from tierproof.core.read_bounded import MOST_TEXT_BYTES
from tierproof.model.load.cached_download import download, join_url
from tierproof.model.load.target import TargetError
from tierproof.model.load.weights import CHECKPOINT_NAMES, read_shard_names

DEFAULT_HUB_URL = "https://huggingface.co"
# What may be as large as the disk has room for; a config, an index or code is text.
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt")
_ID = re.compile(r"[\w][\w.-]*(/[\w][\w.-]*)?\Z")


def is_hub_id(text: str) -> bool:
    """Whether `text` has the form of an id: NAME or OWNER/NAME."""
    return _ID.match(text) is not None and ".." not in text


def fetch_config(model_id: str, *, hub_url: str, cache: Path) -> Path:
    """Fetch the `config.json` of an id, and return the folder that holds it.

    Raises:
        TargetError: when the hub cannot be reached or has no such config.
    """
    origin = hashlib.sha256(hub_url.encode()).hexdigest()[:12]
    folder = cache / "hub" / origin / model_id.replace("/", "--")
    if not _fetch(model_id, "config.json", hub_url, folder):
        raise TargetError(
            f"{model_id} was not found: {hub_url} has no config.json for it, and there is no local folder of that name",
            hint="Check the spelling of the id, or pass a folder: hf:DIR.",
        )
    return folder


def fetch_weights(model_id: str, *, hub_url: str, folder: Path) -> None:
    """Fetch the checkpoint of an id into `folder`.

    Raises:
        TargetError: when there is none or it cannot be fetched.
    """
    for name in CHECKPOINT_NAMES:
        if not _fetch(model_id, name, hub_url, folder):
            (folder / name).unlink(missing_ok=True)  # a copy of what the hub no longer has would win
            continue
        shards = read_shard_names(folder / name) if name.endswith(".json") else []
        for shard in shards:
            if not _fetch(model_id, shard, hub_url, folder):
                raise TargetError(
                    f"the checkpoint of {model_id} is incomplete: {hub_url} has no {shard}",
                    hint="Leave out `--weights`.",
                )
        return
    raise TargetError(f"{hub_url} has no weights for {model_id}", hint="Leave out `--weights`.")


def fetch_code(model_id: str, module: str, *, hub_url: str, folder: Path) -> None:
    """Fetch the Python file `module` of an id, and those it imports relatively.

    Raises:
        TargetError: when one is absent or cannot be fetched.
    """
    waiting, seen = [module], set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if not name.isidentifier() or not _fetch(model_id, f"{name}.py", hub_url, folder):
            raise TargetError(
                f"the code of {model_id} is incomplete: {hub_url} has no {name}.py",
                hint="Put the complete code in a folder, and pass hf:DIR.",
            )
        waiting += _relative_imports(folder / f"{name}.py")


def _fetch(model_id: str, name: str, hub_url: str, folder: Path) -> bool:
    limit_bytes = None if name.endswith(_WEIGHTS) else MOST_TEXT_BYTES
    return download(
        join_url(hub_url, model_id, "resolve", "main", name), folder / name, limit_bytes=limit_bytes
    )


def _relative_imports(path: Path) -> list[str]:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # told with its line when the file is loaded
        return []
    return [
        node.module.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module
    ]
