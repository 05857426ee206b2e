"""What `images sync --from` names: a folder with an index, a git repository, or raw files on the web."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from tierproof.core.credentials import hide_credentials
from tierproof.errors import UsageError
from tierproof.guard.resolve.index_settings import read_index_settings
from tierproof.images.lists.image_index import INDEX_NAME
from tierproof.images.lists.verify_list import LARGEST_LIST_BYTES
from tierproof.images.store.colab_repository import REPOSITORY_URL
from tierproof.images.store.folder_source import FolderSource, join_url, read_local_file
from tierproof.images.store.git_repository import find_git
from tierproof.images.store.git_source import open_git_source
from tierproof.images.store.http_source import HttpSource
from tierproof.images.store.image_source import ImageSource
from tierproof.images.store.read_from_web import download

# Addresses that only git understands, or that are known to be repositories.
_FOR_GIT = re.compile(r"(?:git|ssh|git\+[a-z]+)://|[\w.-]+@[\w.-]+:|https?://github\.com/[^/]+/[^/]+/?\Z")


def open_source(text: str = "", environment: Mapping[str, str] | None = None) -> ImageSource:
    """Open the source that a person names.

    Args:
        text: a folder or an http(s) URL with an `index.json`, a git repository with Colab's layout by path or
            URL, or the URL of such a repository's raw files. By default `$TIERPROOF_IMAGES_URL`, else the
            public repository.
        environment: where proxies and certificates are read; this process's by default.

    Raises:
        UsageError: there is no such folder, or it is not a source of images.
        ImageSourceError: the server cannot be reached.
    """
    environment = os.environ if environment is None else environment
    text = text or environment.get("TIERPROOF_IMAGES_URL", "") or REPOSITORY_URL
    settings = read_index_settings(environment).environment  # with pip's proxy and certificates
    if text.startswith("file:"):
        return _open_folder(Path(url2pathname(urlsplit(text).path)), settings)
    if _FOR_GIT.match(text) or (text.startswith("http") and text.endswith(".git")):
        return _open_repository(text.removeprefix("git+"), settings)
    if text.startswith(("http://", "https://")):
        return _open_web(text, settings)
    if "://" in text or text.startswith("-"):
        raise UsageError(f"cannot fetch lists of images from {hide_credentials(text)}", hint=_EXPECTED)
    return _open_folder(Path(text).expanduser(), settings)


_EXPECTED = (
    "Name a folder or an http(s) URL with an index.json, or a git repository laid out like "
    "googlecolab/backend-info."
)


def _open_folder(folder: Path, environment: Mapping[str, str]) -> ImageSource:
    try:
        if (folder / INDEX_NAME).is_file():
            return FolderSource(str(folder), partial(read_local_file, folder))
        if not folder.is_dir():
            raise UsageError(f"there is no folder {folder}", hint=_EXPECTED)
        if (folder / ".git").exists() or ((folder / "HEAD").is_file() and (folder / "objects").is_dir()):
            return _open_repository(str(folder.resolve()), environment)
    except OSError as error:
        raise UsageError(
            f"cannot read {folder}: {error.strerror or error}", hint="Check that you may read this folder."
        ) from error
    raise UsageError(f"{folder} has no {INDEX_NAME} and is not a git repository", hint=_EXPECTED)


def _open_repository(url: str, environment: Mapping[str, str]) -> ImageSource:
    if find_git():
        return open_git_source(url, environment)
    if url.startswith(("http://", "https://")):
        return HttpSource(url, environment)
    raise UsageError(
        f"reading {hide_credentials(url)} needs git, which is not installed",
        hint="Install git, or name a folder or an http(s) URL with an index.json.",
    )


def _open_web(url: str, environment: Mapping[str, str]) -> ImageSource:
    def read(name: str) -> bytes | None:
        return download(join_url(url, name), limit_bytes=LARGEST_LIST_BYTES, environment=environment)

    index = read(INDEX_NAME)
    if index is not None and not index.lstrip().startswith(b"<"):  # some servers answer all with a page
        return FolderSource(url, lambda name: index if name == INDEX_NAME else read(name))
    smart = f"{url.rstrip('/')}/info/refs?service=git-upload-pack"
    if find_git() and download(smart, limit_bytes=LARGEST_LIST_BYTES, environment=environment) is not None:
        return open_git_source(url, environment)
    return HttpSource(url, environment)
