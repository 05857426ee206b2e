"""Every way to say where packages come from: it holds over a second operation, and tells nobody a password."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from guard.throwaway import Throwaway
from loopback import Site, serve
from sampled import sample

SECRET = "s3cr3t"
Configure = Callable[[Throwaway, Site], dict[str, str]]


@pytest.fixture
def site() -> Iterator[Site]:
    with serve() as running:
        yield running


@pytest.fixture
def here(tmp_path: Path, site: Site) -> Throwaway:
    throwaway = Throwaway(tmp_path)
    for name, version, *needs in (
        ("first", "1.0", "helper"),
        ("second", "1.0", "helper>=1"),
        ("helper", "1.0"),
    ):
        throwaway.index.add(name, version, *needs)
    flat = tmp_path / "wheels"
    flat.mkdir()
    (tmp_path / "empty").mkdir()
    for wheel in throwaway.index.folder.glob("simple/*/*.whl"):
        shutil.copy(wheel, flat)
        site.pages[f"/files/{wheel.name}"] = wheel.read_bytes()
        link = f'<a href="/files/{wheel.name}">{wheel.name}</a>'
        site.pages[f"/simple/{wheel.parent.name}/"] = (
            f"<!DOCTYPE html><html><body>{link}</body></html>".encode()
        )
    links = "".join(f'<a href="/files/{each.name}">{each.name}</a>' for each in flat.iterdir())
    site.pages["/links/"] = f"<!DOCTYPE html><html><body>{links}</body></html>".encode()
    return throwaway


def with_password(url: str) -> str:
    return url.replace("://", f"://me:{SECRET}@")


def write_pip(path: Path, **options: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "[global]\n" + "".join(f"{key.replace('_', '-')} = {value}\n" for key, value in options.items())
    )


def pip_file(place: Callable[[Throwaway], Path], **environment: str) -> Configure:
    def configure(here: Throwaway, _: Site) -> dict[str, str]:
        write_pip(place(here), index_url=here.index.url)
        return {key: value.format(here=here.folder) for key, value in environment.items()}

    return configure


SOURCES: dict[str, Configure] = {
    "UV_DEFAULT_INDEX": lambda here, _: {"UV_DEFAULT_INDEX": here.index.url},
    "UV_INDEX_URL": lambda here, _: {"UV_INDEX_URL": here.index.url},
    "UV_INDEX": lambda here, _: {"UV_INDEX": here.index.url, "UV_DEFAULT_INDEX": str(here.folder / "empty")},
    "UV_INDEX with a name": lambda here, _: {
        "UV_INDEX": f"mine={here.index.url}",
        "UV_DEFAULT_INDEX": str(here.folder / "empty"),
    },
    "UV_EXTRA_INDEX_URL": lambda here, _: {
        "UV_EXTRA_INDEX_URL": here.index.url,
        "UV_DEFAULT_INDEX": str(here.folder / "empty"),
    },
    "UV_FIND_LINKS": lambda here, _: {"UV_FIND_LINKS": str(here.folder / "wheels"), "UV_NO_INDEX": "1"},
    "UV_FIND_LINKS beside an index": lambda here, _: {
        "UV_FIND_LINKS": str(here.folder / "wheels"),
        "UV_DEFAULT_INDEX": str(here.folder / "empty"),
    },
    "UV_FIND_LINKS, relative": lambda *_: {"UV_FIND_LINKS": "wheels", "UV_NO_INDEX": "1"},
    "UV_FIND_LINKS, a page": lambda _, site: {"UV_FIND_LINKS": f"{site.url}/links/", "UV_NO_INDEX": "1"},
    "UV_DEFAULT_INDEX, relative": lambda *_: {"UV_DEFAULT_INDEX": "index/simple"},
    "PIP_INDEX_URL": lambda here, _: {"PIP_INDEX_URL": here.index.url},
    "PIP_EXTRA_INDEX_URL": lambda here, _: {
        "PIP_INDEX_URL": str(here.folder / "empty"),
        "PIP_EXTRA_INDEX_URL": here.index.url,
    },
    "PIP_FIND_LINKS": lambda here, _: {"PIP_FIND_LINKS": str(here.folder / "wheels"), "PIP_NO_INDEX": "1"},
    "PIP_FIND_LINKS, relative": lambda *_: {"PIP_FIND_LINKS": "wheels", "PIP_NO_INDEX": "true"},
    "PIP_CONFIG_FILE": pip_file(lambda here: here.folder / "my.conf", PIP_CONFIG_FILE="{here}/my.conf"),
    "pip.conf of the user": pip_file(lambda here: here.folder / "home" / ".config" / "pip" / "pip.conf"),
    "the old pip.conf of the user": pip_file(lambda here: here.folder / "home" / ".pip" / "pip.conf"),
    "pip.conf of the environment": pip_file(lambda here: here.python.parents[1] / "pip.conf"),
    "UV_DEFAULT_INDEX with a password": lambda _, site: {
        "UV_DEFAULT_INDEX": with_password(f"{site.url}/simple")
    },
    "PIP_INDEX_URL with a password": lambda _, site: {"PIP_INDEX_URL": with_password(f"{site.url}/simple")},
    "PIP_EXTRA_INDEX_URL with a password": lambda here, site: {
        "PIP_INDEX_URL": str(here.folder / "empty"),
        "PIP_EXTRA_INDEX_URL": with_password(f"{site.url}/simple"),
    },
    "PIP_FIND_LINKS with a password": lambda _, site: {
        "PIP_FIND_LINKS": with_password(f"{site.url}/links/"),
        "PIP_NO_INDEX": "1",
    },
    "netrc": lambda here, site: write_netrc(here, site),  # noqa: PLW0108 - defined below
}


def write_netrc(here: Throwaway, site: Site) -> dict[str, str]:
    path = here.folder / "home" / ".netrc"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"machine 127.0.0.1 login me password {SECRET}\n")
    path.chmod(0o600)
    return {"UV_DEFAULT_INDEX": f"{site.url}/simple"}


class Arguments:
    """Looks at the command lines of all processes while something runs."""

    def __enter__(self) -> Arguments:
        self.seen: set[str] = set()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    text = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
                except OSError:
                    continue
                if SECRET in text:
                    self.seen.add(text)
            time.sleep(0.002)


def find_secrets(folder: Path) -> list[str]:
    """Files of tierproof's that hold the secret."""
    return [
        str(path) for path in folder.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()
    ]


@pytest.mark.parametrize("name", sample(list(SOURCES), 5))
def test_a_source_holds_over_a_second_operation(here: Throwaway, site: Site, name: str) -> None:
    plain = {key: value for key, value in here.environment.items() if key != "UV_DEFAULT_INDEX"}
    environment = {**plain, **SOURCES[name](here, site)}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return here.run("-m", "tierproof", *arguments, env=environment, cwd=here.folder)

    with Arguments() as arguments:
        for package in ("first", "second"):
            done = run("install", package, "--json")
            assert done.returncode == 0, (package, done.stderr)
            assert SECRET not in done.stdout + done.stderr
    if "password" in name or name == "netrc":
        planned = run("plan", "absent-from-every-source")
        assert planned.returncode == 2, planned.stdout + planned.stderr
        assert SECRET not in planned.stdout + planned.stderr
    assert here.run("-c", "import first, second, helper").returncode == 0
    assert arguments.seen == set()
    assert find_secrets(here.data) == []
    if "password" in name or name == "netrc":
        expected = base64.b64encode(f"me:{SECRET}".encode()).decode()
        assert f"Basic {expected}" in site.authorizations


URLS = [
    "{base}?token=s3cr3t",
    "{base}?raw=true&access_token=s3cr3t&inline=false",
    "{base}?X-Amz-Credential=me&X-Amz-Signature=s3cr3t",
    "{base}?sv=2024&sig=s3cr3t",
    "{base}#access_token=s3cr3t",
    "{password}",
]


@pytest.mark.parametrize("url", sample(list(URLS), 5))
def test_the_secrets_of_a_direct_url_are_written_down_nowhere(here: Throwaway, site: Site, url: str) -> None:
    base = f"{site.url}/files/helper-1.0-py3-none-any.whl"
    path = url.format(base=base, password=with_password(base))
    site.pages[path.removeprefix(site.url).partition("#")[0]] = site.pages[
        "/files/helper-1.0-py3-none-any.whl"
    ]
    with Arguments() as arguments:
        done = here.command("install", f"helper @ {path}", "--json")
    assert done.returncode == 0, done.stderr
    assert here.find_version("helper") == "1.0"
    said = done.stdout + done.stderr
    for command in ("history", "list", "plan"):
        more = [f"helper @ {path}"] if command == "plan" else []
        for option in ([], ["--json"]):
            done = here.command(command, *option, *more)
            said += done.stdout + done.stderr
    drive = here.folder / "drive"
    assert here.command("save", str(drive)).returncode == 0
    unpacked = here.folder / "unpacked"
    shutil.unpack_archive(drive / "tierproof-packages.tar.gz", unpacked, filter="data")
    assert SECRET not in said
    assert find_secrets(here.data) == find_secrets(drive) == find_secrets(unpacked) == []
    own = [each for each in arguments.seen if f"-m tierproof install helper @ {path}" not in each]
    assert own == []  # what the user typed is the user's
    lock = json.dumps((drive / "pylock.toml").read_text())
    assert "helper-1.0-py3-none-any.whl" in lock


def test_nor_do_they_stay_with_an_isolated_worker(here: Throwaway, site: Site) -> None:
    path = f"{site.url}/files/helper-1.0-py3-none-any.whl?token={SECRET}"
    site.pages[path.removeprefix(site.url)] = site.pages["/files/helper-1.0-py3-none-any.whl"]
    done = here.command("run", "--with", f"helper @ {path}", "--", "python", "-c", "import helper")
    assert done.returncode == 0, done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert find_secrets(here.data) == []
