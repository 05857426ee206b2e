"""The history of the published lists, read by git from a folder and over dumb HTTP."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from images.published import HAS_REAL_LISTS, REAL_LISTS, Published, make_list, publish_real, publish_small
from loopback import Site
from tierproof.errors import UsageError
from tierproof.images.lists.image_index import Image
from tierproof.images.store import read_from_web as download_module
from tierproof.images.store.git_source import GitSource
from tierproof.images.store.image_source import ImageSourceError
from tierproof.images.store.image_store import list_images
from tierproof.images.store.open_source import open_source
from tierproof.images.store.sync_images import SyncReport, sync_images

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(download_module, "_PAUSES_S", (0.0, 0.0))
    monkeypatch.setenv("TIERPROOF_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def published(tmp_path: Path) -> Published:
    return publish_small(tmp_path / "backend-info")


def sync(source: object, folder: Path) -> SyncReport:
    return sync_images(open_source(str(source)), folder)


def find(folder: Path) -> dict[str, Image]:
    return {image.label: image for image in list_images(folder)}


def test_the_whole_history(published: Published, tmp_path: Path) -> None:
    assert isinstance(open_source(str(published.folder)), GitSource)
    report = sync(published.folder, tmp_path / "images")
    assert report.refused == ()
    found = find(tmp_path / "images")
    assert list(found) == [
        "colab:2026-04",
        "colab:2026.04",
        "colab:2026.04-gpu",
        "colab:2026.04-tpu",
        "colab:2026-04-gpu",
        "colab:2026-04-tpu",
        "colab:2026-01",
        "colab:2026.01",
        "colab:2026.01-gpu",
        "colab:2026-01-gpu",
        "colab:2025-11",
    ]
    numbers = {label: (image.numpy, image.torch, image.date) for label, image in found.items()}
    assert numbers["colab:2025-11"] == ("2.0.2", "", "2025-11-20")  # the month's last list
    assert numbers["colab:2026-01"] == ("2.0.2", "2.9.1+cpu", "2026-01-31")
    assert numbers["colab:2026.01"] == ("2.0.2", "2.9.0+cpu", "2026-01-16")
    assert numbers["colab:2026-04-gpu"] == ("2.1.0", "2.10.0+cu128", "2026-04-02")
    facts = {label: (image.python, image.os) for label, image in found.items()}
    assert facts["colab:2026.01-gpu"] == ("3.12.12", "Ubuntu 22.04.4 LTS")
    assert facts["colab:2026.04"] == (
        "3.12.13",
        "Ubuntu 22.04.5 LTS",
    )  # the file knows better than the README
    assert facts["colab:2026.04-tpu"] == ("3.12.13", "Ubuntu 24.04 LTS")  # of which only the README tells
    assert facts["colab:2025-11"] == ("", "")
    assert found["colab:2026.01"].commit == published.commits[2]
    assert [image.pinned for image in found.values()].count(True) == 5


def test_a_month_grows(published: Published, tmp_path: Path) -> None:
    sync(published.folder, tmp_path / "images")
    assert sync(published.folder, tmp_path / "images").current == 11
    published.commit("2026-04-28", {"pip-freeze.txt": make_list(numpy="2.2.0")})
    published.commit("2026-05-02", {"pip-freeze.txt": make_list(numpy="2.3.0")})
    report = sync(published.folder, tmp_path / "images")
    assert (report.new, report.updated, report.current) == (("colab:2026-05",), ("colab:2026-04",), 10)
    assert find(tmp_path / "images")["colab:2026-04"].numpy == "2.2.0"


def test_over_dumb_http_only_new_objects_are_fetched(
    published: Published,
    site: Site,
    tmp_path: Path,
) -> None:
    url = published.serve(site)
    assert len(sync(url, tmp_path / "images").new) == 11
    first = len([path for path in site.requests if "/objects/" in path])
    assert first > 0
    site.requests.clear()
    assert sync(url, tmp_path / "images").current == 11
    assert [path for path in site.requests if "/objects/" in path] == []
    published.commit("2026-05-02", {"pip-freeze.txt": make_list(numpy="2.3.0")})
    published.serve(site)
    assert sync(url, tmp_path / "images").new == ("colab:2026-05",)


def test_a_connection_that_drops(published: Published, site: Site, tmp_path: Path) -> None:
    url = published.serve(site)
    objects = sorted(path for path in site.pages if "/objects/" in path and "/info/" not in path)
    site.cut_paths |= set(objects[len(objects) // 2 :])
    with pytest.raises(ImageSourceError, match="git could not read"):
        sync(url, tmp_path / "images")
    assert list_images(tmp_path / "images") == ()
    site.cut_paths.clear()
    assert len(sync(url, tmp_path / "images").new) == 11


def test_a_damaged_copy_is_fetched_anew(published: Published, tmp_path: Path) -> None:
    sync(published.folder, tmp_path / "images")
    (copy,) = (tmp_path / "cache" / "repositories").iterdir()
    for number in (5, 6):  # with something to fetch, then with nothing
        for path in (copy / "copy" / "objects").rglob("*"):
            if path.is_file():
                path.chmod(0o644)
                path.write_bytes(b"")
        if number == 5:
            published.commit("2026-05-02", {"pip-freeze.txt": make_list(numpy="2.3.0")})
        report = sync(published.folder, tmp_path / "images")
        assert report.current + len(report.new) == 12
        assert report.new == (("colab:2026-05",) if number == 5 else ())


def test_a_lock_of_a_killed_git_bars_nothing(published: Published, tmp_path: Path) -> None:
    sync(published.folder, tmp_path / "images")
    (copy,) = (tmp_path / "cache" / "repositories").iterdir()
    for name in ("refs/heads/synced.lock", "HEAD.lock", "config.lock"):
        (copy / "copy" / name).write_text("")
    published.commit("2026-05-02", {"pip-freeze.txt": make_list(numpy="2.3.0")})
    assert sync(published.folder, tmp_path / "images").new == ("colab:2026-05",)


def test_what_is_wrong_is_refused_and_the_rest_goes_on(published: Published, tmp_path: Path) -> None:
    published.commit("2026-05-02", {"pip-freeze.txt": "<!DOCTYPE html>\n<html>gone</html>\n"})
    published.commit("2026-06-02", {"pip-freeze.txt": b"\xff\xfe\xff", "pip-freeze.tpu.txt": "a==1\nzstand"})
    published.commit("2026-07-02", {"pip-freeze.txt": "a==1\n" * 1_100_000, "pip-freeze.tpu.txt": ""})
    published.pin("2026-07-03", {"2026.07": ("0" * 40, "3.13.1", "Ubuntu 24.04 LTS")})
    report = sync(published.folder, tmp_path / "images")
    reasons = dict(report.refused)
    assert set(reasons) == {
        "colab:2026-05",
        "colab:2026-06",
        "colab:2026-06-tpu",
        "colab:2026-07",
        "colab:2026-07-tpu",
        "colab:2026.07",
    }
    assert "web page" in reasons["colab:2026-05"]
    assert "not a text file" in reasons["colab:2026-06"]
    assert "cut off" in reasons["colab:2026-06-tpu"]
    assert "too large" in reasons["colab:2026-07"]
    assert "is empty" in reasons["colab:2026-07-tpu"]
    assert f"has no commit {'0' * 40}" in reasons["colab:2026.07"]
    assert (len(report.new), report.exit_code) == (11, 1)


def test_repositories_of_another_kind(tmp_path: Path) -> None:
    empty = Published(tmp_path / "empty")
    with pytest.raises(ImageSourceError, match="git could not read"):
        sync(empty.folder, tmp_path / "images")
    other = Published(tmp_path / "other")
    other.commit("2026-01-01", {"README.md": "### 2026.01\n"})
    with pytest.raises(UsageError, match=r"has no pip-freeze\.txt"):
        sync(other.folder, tmp_path / "images")


def test_credentials_are_shown_and_kept_nowhere(
    published: Published,
    site: Site,
    tmp_path: Path,
) -> None:
    url = published.serve(site, "/private.git").replace("://", "://me:secret@")
    report = sync(url, tmp_path / "images")
    assert len(report.new) == 11
    assert "secret" not in report.describe()
    for path in (tmp_path / "cache").rglob("*"):
        assert not path.is_file() or b"secret" not in path.read_bytes(), path
    site.pages.clear()
    with pytest.raises(ImageSourceError) as raised:
        sync(url, tmp_path / "images")
    assert "secret" not in str(raised.value)


def test_the_callers_own_repository_is_left_alone(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Published(tmp_path / "own")
    own.commit("2026-01-01", {"a": "b"})
    before = {path: path.read_bytes() for path in own.folder.rglob("*") if path.is_file()}
    monkeypatch.setenv("GIT_DIR", str(own.folder / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(own.folder))
    assert len(sync(published.folder, tmp_path / "images").new) == 11
    assert {path: path.read_bytes() for path in own.folder.rglob("*") if path.is_file()} == before


@pytest.mark.skipif(not HAS_REAL_LISTS, reason="the image lists lie in TIERPROOF_SHARED")
def test_the_real_lists(site: Site, tmp_path: Path) -> None:
    url = publish_real(tmp_path / "backend-info").serve(site)
    report = sync(url, tmp_path / "images")
    assert report.refused == ()
    found = find(tmp_path / "images")
    for entry in json.loads((REAL_LISTS / "index.json").read_text()):
        hardware = "" if entry["hardware"] == "cpu" else f"-{entry['hardware']}"
        image = found[entry["image"] + hardware]
        if not entry["pinned"]:
            assert image.date[:7] == entry["date"][:7]
            continue
        assert (image.date, image.pinned) == (entry["date"], True)
        assert (image.python, image.os) == (entry["python"], entry["os"])
        assert (image.packages, image.numpy, image.torch) == (
            entry["packages"],
            entry["numpy"],
            entry["torch"],
        )
