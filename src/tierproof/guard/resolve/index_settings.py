"""Which package index the user has configured: uv's own settings, else pip's, for uv's command line."""

from __future__ import annotations

import configparser
import hashlib
import os
import re
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from tierproof.core.read_bounded import read_bounded

DEFAULT_INDEX = "https://pypi.org/simple"
_MOST_BYTES = 1 << 20  # of one of pip's files

# What remains of UV_* in the child: where packages come from, and how they are reached. Everything else
# (UV_SYSTEM_PYTHON, UV_PRERELEASE, UV_CONSTRAINT, UV_TARGET, ...) would change what is resolved.
_KEPT = re.compile(
    r"UV_(DEFAULT_INDEX|INDEX|INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|INDEX_STRATEGY|INDEX_.+_(USERNAME|PASSWORD)"
    r"|KEYRING_PROVIDER|NATIVE_TLS|SYSTEM_CERTS|INSECURE_HOST|HTTP_TIMEOUT|REQUEST_TIMEOUT|HTTP_RETRIES|OFFLINE"
    r"|CACHE_DIR|CONCURRENT_DOWNLOADS)\Z"
)
_MOST_STAMPED = 20_000
_NAMING = ("--extra-index-url", "--index", "--find-links")
_UV_INDEX = (
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_NO_INDEX",
)


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """Where packages come from.

    Attributes:
        index_urls: simple indexes, to be asked in this order; empty with `--no-index`.
        find_links: folders or pages with wheels.
        no_index: only `find_links` may be asked.
        options: for uv's command line.
        environment: for uv's process.
    """

    index_urls: tuple[str, ...]
    find_links: tuple[str, ...]
    options: tuple[str, ...]
    environment: Mapping[str, str]
    no_index: bool = False

    @property
    def defaults_to_pypi(self) -> bool:
        """Whether the index that is asked last is PyPI; then neither `options` nor `environment` name it."""
        return bool(self.index_urls) and _is_pypi(self.index_urls[-1])


def stamp_local_places(settings: IndexSettings) -> tuple[str, ...] | None:
    """Return what tells whether the indexes and links in folders have changed; None where that cannot be told.

    Names and times of all that lies in them, two folders deep.
    """
    stamps = []
    for place in (*settings.index_urls, *settings.find_links):
        parts = urlsplit(place)
        if parts.scheme in ("http", "https"):
            continue
        path = Path(url2pathname(parts.path)) if parts.scheme == "file" else Path(place).expanduser()
        stamp = _stamp(path)
        if stamp is None:
            return None
        stamps.append(stamp)
    return tuple(stamps)


def _stamp(folder: Path) -> str | None:
    seen: list[tuple[str, int]] = []
    try:
        for entry in os.scandir(folder):
            seen.append((entry.name, entry.stat().st_mtime_ns))
            if entry.is_dir():
                seen += [(f"{entry.name}/{each.name}", each.stat().st_mtime_ns) for each in os.scandir(entry)]
            if len(seen) > _MOST_STAMPED:
                return None
    except FileNotFoundError:
        return "absent"
    except OSError:
        return None
    return hashlib.sha256(repr(sorted(seen)).encode(errors="surrogateescape")).hexdigest()


def leave_out(settings: IndexSettings, hosts: Collection[str]) -> IndexSettings:
    """Return the settings without the further indexes and links on these hosts; the default index stays."""

    def stays(url: str) -> bool:
        return urlsplit(url).hostname not in hosts

    options: list[str] = []
    queue = list(settings.options)
    while queue:
        option = queue.pop(0)
        if option in _NAMING and queue:
            value = queue.pop(0)
            options += [option, value] if stays(value) else []
        else:
            options.append(option)
    environment = dict(settings.environment)
    for name in ("UV_INDEX", "UV_EXTRA_INDEX_URL"):
        if name in environment:
            kept = [item for item in environment[name].split() if stays(re.sub(r"\A[\w.-]+=", "", item))]
            environment[name] = " ".join(kept)
    urls = settings.index_urls
    return replace(
        settings,
        index_urls=(*(url for url in urls[:-1] if stays(url)), *urls[-1:]),
        find_links=tuple(link for link in settings.find_links if stays(link)),
        options=tuple(options),
        environment=environment,
    )


def read_index_settings(environment: Mapping[str, str] | None = None) -> IndexSettings:
    """Read the settings: the UV_* variables about indexes where there are any, else what pip would use."""
    environment = os.environ if environment is None else environment
    clean = scrub_environment(environment)
    if any(environment.get(name) for name in _UV_INDEX):
        return _read_uv(environment, clean)
    return _read_pip(environment, clean)


def scrub_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out every UV_*, PIP_* and PYTHON* variable that could change what is resolved."""
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith(("UV_", "PIP_", "PYTHON", "VIRTUAL_ENV", "CONDA_")) or _KEPT.match(name)
    }


def _is_pypi(url: str) -> bool:
    return url.rstrip("/") == DEFAULT_INDEX


def _read_uv(environment: Mapping[str, str], clean: dict[str, str]) -> IndexSettings:
    named = (environment.get("UV_INDEX", "") + " " + environment.get("UV_EXTRA_INDEX_URL", "")).split()
    default = environment.get("UV_DEFAULT_INDEX") or environment.get("UV_INDEX_URL") or DEFAULT_INDEX
    urls = [re.sub(r"\A[\w.-]+=", "", item) for item in (*named, default)]
    no_index = environment.get("UV_NO_INDEX", "").lower() in ("1", "true")
    if no_index:
        urls = []
        for name in (*_UV_INDEX[:4], "UV_NO_INDEX"):  # the stub index must still be asked
            clean.pop(name, None)
    elif _is_pypi(default):
        for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL"):
            clean.pop(name, None)
    links = tuple(_anchor(item) for item in environment.get("UV_FIND_LINKS", "").split(",") if item)
    if links:
        clean["UV_FIND_LINKS"] = ",".join(links)
    for name in _UV_INDEX[:4]:
        if name in clean:
            clean[name] = " ".join(_anchor_named(item) for item in clean[name].split())
    urls = [_anchor(url) for url in urls]
    return IndexSettings(tuple(urls), links, (), clean, no_index)


def _read_pip(environment: Mapping[str, str], clean: dict[str, str]) -> IndexSettings:
    values = _read_pip_values(environment)
    extra = [_anchor(url) for url in values.get("extra-index-url", "").split()]
    links = [_anchor(link) for link in values.get("find-links", "").split()]
    default = _anchor(values.get("index-url") or DEFAULT_INDEX)
    options: list[str] = []
    urls = (*extra, default)
    no_index = values.get("no-index", "").lower() in ("1", "true", "yes", "on")
    if no_index:
        urls = ()
    else:
        options += [] if _is_pypi(default) else ["--default-index", default]
        for url in extra:
            options += ["--extra-index-url", url]
        if extra:  # pip asks them all and takes the best; uv would stop at the first that knows the name
            options += ["--index-strategy", "unsafe-best-match"]
    for link in links:
        options += ["--find-links", link]
    for host in values.get("trusted-host", "").split():
        options += ["--allow-insecure-host", host]
    if (certificate := values.get("cert")) and "SSL_CERT_FILE" not in clean:
        clean["SSL_CERT_FILE"] = certificate
    if (proxy := values.get("proxy")) and "HTTPS_PROXY" not in clean and "https_proxy" not in clean:
        clean |= {"HTTPS_PROXY": proxy, "HTTP_PROXY": proxy}
    return IndexSettings(urls, tuple(links), tuple(options), clean, no_index)


def _anchor(address: str) -> str:
    """Make a local path absolute: uv runs in another folder, and so may the next command."""
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", address):
        return address
    return str(Path(address).expanduser().absolute())


def _anchor_named(address: str) -> str:
    name, equals, rest = address.partition("=")
    return f"{name}={_anchor(rest)}" if equals and re.fullmatch(r"[\w.-]+", name) else _anchor(address)


def _read_pip_values(environment: Mapping[str, str]) -> dict[str, str]:
    """Return pip's settings by their long option's name; later files win, the environment over all."""
    values: dict[str, str] = {}
    for path in _list_pip_files(environment):
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(read_bounded(path, _MOST_BYTES).decode("utf-8-sig"))
        except (configparser.Error, UnicodeDecodeError, OSError):  # pip would refuse to start; uv can work
            continue
        for section in ("global", "install", "download"):
            if parser.has_section(section):
                values |= {key.replace("_", "-"): value for key, value in parser.items(section)}
    for name, value in environment.items():
        if name.startswith("PIP_") and value:
            values[name.removeprefix("PIP_").lower().replace("_", "-")] = value
    return values


def _list_pip_files(environment: Mapping[str, str]) -> list[Path]:
    named = environment.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return []
    home = Path(environment.get("HOME") or Path.home())
    config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    system = [
        Path(folder) / "pip" / "pip.conf"
        for folder in environment.get("XDG_CONFIG_DIRS", "").split(":")
        if folder
    ]
    files = [*system, Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf")]
    files += [home / ".pip" / "pip.conf", config / "pip" / "pip.conf", Path(sys.prefix) / "pip.conf"]
    return [*files, Path(named)] if named else files
