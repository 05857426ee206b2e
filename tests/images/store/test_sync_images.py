"""Syncs from folders and servers: what is new is fetched, what is wrong is refused, what was there stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from images.published import HAS_REAL_LISTS, REAL_LISTS, make_list, publish_small
from loopback import Site
from tierproof.errors import UsageError
from tierproof.images.lists.image_contents import read_contents
from tierproof.images.store import read_from_web as download_module
from tierproof.images.store.add_image import add_image
from tierproof.images.store.http_source import HttpSource
from tierproof.images.store.image_source import ImageSourceError
from tierproof.images.store.image_store import list_images
from tierproof.images.store.open_source import open_source
from tierproof.images.store.sync_images import SyncReport, sync_images

PAGE = b"<!DOCTYPE html><html><body>Sign in</body></html>"


@pytest.fixture(autouse=True)
def _quick_tries(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(download_module, "_PAUSES_S", (0.0, 0.0))
    monkeypatch.setenv("TIERPROOF_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TIERPROOF_IMAGES_URL", raising=False)


def entry(name: str, file: str, commit: str | None = "c", **facts: object) -> dict[str, object]:
    return {"image": name, "hardware": "cpu", "file": file, "commit": commit, "python": "3.12.12", **facts}


def publish(site: Site, lists: dict[str, bytes], entries: list[object]) -> str:
    site.pages |= {f"/images/{name}": content for name, content in lists.items()}
    site.pages["/images/index.json"] = json.dumps(entries).encode()
    return f"{site.url}/images"


def sync(source: str, folder: Path) -> SyncReport:
    return sync_images(open_source(source), folder)


def count_lists(site: Site) -> int:
    return sum(1 for path in site.requests if path.endswith(".txt"))


@pytest.mark.skipif(not HAS_REAL_LISTS, reason="the image lists lie in TIERPROOF_SHARED")
def test_the_real_lists_from_a_server(site: Site, tmp_path: Path) -> None:
    for path in REAL_LISTS.iterdir():
        site.pages[f"/colab/{path.name}"] = path.read_bytes()
    shown: list[tuple[int, int, str]] = []
    source = open_source(f"{site.url}/colab/")
    report = sync_images(source, tmp_path, on_progress=lambda *step: shown.append(step))
    assert (len(report.new), report.refused, report.exit_code) == (39, (), 0)
    assert shown[0][1] == 0
    assert [step[:2] for step in shown[1:]] == [(done, 39) for done in range(40)]
    published = {
        (each["image"], each["hardware"]): each
        for each in json.loads((REAL_LISTS / "index.json").read_text())
    }
    images = list_images(tmp_path)
    assert len(images) == 39
    for image in images:
        facts = published[image.name, image.hardware]
        assert (image.numpy, image.torch, image.packages) == (
            facts["numpy"],
            facts["torch"],
            facts["packages"],
        )
        assert (image.date, image.commit, image.pinned) == (facts["date"], facts["commit"], facts["pinned"])
        assert image.python == (facts["python"] or {"colab:2023-02": "3.8"}.get(image.name, "3.10"))
        assert image.path.read_bytes() == (REAL_LISTS / facts["file"]).read_bytes()
        assert read_contents(image).notes == ()
    assert count_lists(site) == 39
    again = sync(f"{site.url}/colab/", tmp_path)
    assert (again.new, again.updated, again.current) == ((), (), 39)
    assert count_lists(site) == 39


def test_only_what_is_new_is_fetched(site: Site, tmp_path: Path) -> None:
    lists = {f"{each}.txt": make_list(numpy=f"2.0.{each}").encode() for each in range(4)}
    entries = [entry(f"colab:2026-0{each + 1}", f"{each}.txt", f"c{each}") for each in range(4)]
    url = publish(site, lists, entries[:2])
    assert sync(url, tmp_path).new == ("colab:2026-01", "colab:2026-02")
    site.requests.clear()
    lists["1.txt"] = make_list(numpy="9.9").encode()
    entries[1] = entry("colab:2026-02", "1.txt", "another")
    report = sync(publish(site, lists, entries), tmp_path)
    assert (report.new, report.updated, report.current) == (
        ("colab:2026-03", "colab:2026-04"),
        ("colab:2026-02",),
        1,
    )
    assert [path for path in site.requests if path.endswith(".txt")] == [
        "/images/1.txt",
        "/images/2.txt",
        "/images/3.txt",
    ]
    assert {image.name: image.numpy for image in list_images(tmp_path)}["colab:2026-02"] == "9.9"


def test_a_damaged_list_is_fetched_again(site: Site, tmp_path: Path) -> None:
    url = publish(site, {"a.txt": b"a==1\nb==1\n"}, [entry("x", "a.txt")])
    sync(url, tmp_path)
    list_images(tmp_path)[0].path.write_text("a==1\n")
    assert sync(url, tmp_path).updated == ("x",)
    assert read_contents(list_images(tmp_path)[0]).file.packages[1].name == "b"


def test_lists_without_a_commit_are_compared_by_content(site: Site, tmp_path: Path) -> None:
    url = publish(site, {"a.txt": b"a==1\n"}, [entry("x", "a.txt", None)])
    assert sync(url, tmp_path).new == ("x",)
    assert sync(url, tmp_path).current == 1
    site.pages["/images/a.txt"] = b"a==2\n"
    assert sync(url, tmp_path).updated == ("x",)


def test_what_is_wrong_is_refused_and_the_rest_goes_on(site: Site, tmp_path: Path) -> None:
    lists = {
        "good.txt": b"a==1\n",
        "page.txt": PAGE,
        "cut.txt": b"a==1\nzstand",
        "short.txt": b"a==1\n",
        "binary.txt": b"\xff\xfe\0\0\xff",
        "large.txt": b"a==1\n" * 1_100_000,
        "last.txt": b"z==1\n",
    }
    entries: list[object] = [
        entry("good", "good.txt"),
        entry("page", "page.txt"),
        entry("cut", "cut.txt"),
        entry("short", "short.txt", packages=600),
        entry("binary", "binary.txt"),
        entry("large", "large.txt"),
        entry("absent", "absent.txt"),
        entry("away", "../../secret.txt"),
        entry("odd name", "good.txt"),
        entry("quantum", "good.txt", hardware="qpu"),
        {"image": "nothing"},
        7,
        entry("last", "last.txt"),
    ]
    report = sync(publish(site, lists, entries), tmp_path)
    assert report.new == ("good", "last")
    assert report.exit_code == 1
    reasons = dict(report.refused)
    for label, words in {
        "page": "web page",
        "cut": "cut off on line 2",
        "short": "announces 600",
        "binary": "not a text file",
        "large": "too large",
        "absent": "has no file absent.txt",
        "away (entry 8)": "names a file outside its folder",
        "odd name": "is not a valid image name",
        "quantum-qpu": "hardware 'qpu'",
        "nothing (entry 11)": "has no hardware, no file",
        "entry 12": "has no image",
    }.items():
        assert words in reasons[label], label
        assert label in report.describe()
    assert len(reasons) == 11
    assert [image.name for image in list_images(tmp_path)] == ["last", "good"]


def test_a_page_in_place_of_a_list_leaves_the_stored_one(site: Site, tmp_path: Path) -> None:
    url = publish(site, {"a.txt": b"a==1\n"}, [entry("x", "a.txt")])
    sync(url, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    report = sync(publish(site, {"a.txt": PAGE}, [entry("x", "a.txt", "later")]), tmp_path)
    assert report.refused[0][0] == "x"
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_connection_that_drops_keeps_what_there_is(site: Site, tmp_path: Path) -> None:
    lists = {f"{each}.txt": make_list(a=f"{each}", b="1").encode() for each in range(7)}
    url = publish(site, lists, [entry(f"i{each}", f"{each}.txt", f"c{each}") for each in range(7)])
    site.cut_paths |= {f"/images/{each}.txt" for each in (3, 4, 5, 6)}
    with pytest.raises(ImageSourceError, match="broke off after") as raised:
        sync(url, tmp_path)
    assert "3 images were stored before that, and 4 are missing" in raised.value.hint
    assert len(list_images(tmp_path)) == 3
    assert site.requests.count("/images/3.txt") == 3  # it was tried three times
    site.cut_paths.clear()
    site.requests.clear()
    assert sync(url, tmp_path).new == ("i3", "i4", "i5", "i6")
    assert count_lists(site) == 4


def test_one_list_that_fails_does_not_bar_the_others(site: Site, tmp_path: Path) -> None:
    lists: dict[str, bytes] = {f"{each}.txt": f"a=={each}\n".encode() for each in range(5)}
    url = publish(site, lists, [entry(f"i{each}", f"{each}.txt", f"c{each}") for each in range(5)])
    site.pages["/images/1.txt"] = 500
    report = sync(url, tmp_path)
    assert (report.new, report.exit_code) == (("i0", "i2", "i3", "i4"), 1)
    assert "run the command again" in dict(report.refused)["i1"]


def test_an_image_that_is_named_twice(site: Site, tmp_path: Path) -> None:
    url = publish(
        site, {"a.txt": b"a==1\n", "b.txt": b"a==2\n"}, [entry("x", "a.txt", "c"), entry("x", "b.txt", "d")]
    )
    report = sync(url, tmp_path)
    assert (report.new, [label for label, _ in report.refused]) == (("x",), ["x (entry 2)"])
    assert sync(url, tmp_path).current == 1


def test_names_do_not_reach_the_terminal_as_commands(site: Site, tmp_path: Path) -> None:
    shown: list[str] = []
    url = publish(site, {"a.txt": b"a==1\n"}, [entry("x\x1b[2J\x07", "a.txt"), {"image": "y\x1b[1m"}])
    report = sync_images(open_source(url), tmp_path, on_progress=lambda *step: shown.append(step[2]))
    assert "\x1b" not in report.describe() + "".join(shown)
    assert len(report.refused) == 2


@pytest.mark.parametrize(
    "url", ["http://[::1/x", "http://a..b/x", f"http://{'a' * 64}.example/x"], ids=["bracket", "dots", "long"]
)
def test_addresses_that_are_none(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError, match="is not a valid URL"):
        sync(url, tmp_path / "images")


def test_certificates_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "no.pem").write_text("nothing")
    for name in ("absent.pem", "no.pem"):
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / name))
        with pytest.raises(ImageSourceError, match="certificates"):
            sync("https://images.invalid/colab", tmp_path / "images")


def test_a_server_that_fails(site: Site, tmp_path: Path) -> None:
    url = publish(site, {"a.txt": b"a==1\n"}, [entry("x", "a.txt")])
    for status in (500, 503, 429):
        site.pages["/images/index.json"] = status
        with pytest.raises(ImageSourceError, match=str(status)):
            sync(url, tmp_path)
    site.pages["/images/index.json"] = 403
    with pytest.raises(UsageError, match=r"the server refused .*: 403"):
        sync(url, tmp_path)
    assert list_images(tmp_path) == ()


@pytest.mark.parametrize("content", [b"{}", b"[{", b"\xff\xff", b"[" * 100_000])
def test_an_index_that_is_none(site: Site, tmp_path: Path, content: bytes) -> None:
    site.pages["/images/index.json"] = content
    with pytest.raises(UsageError, match=r"index\.json"):
        sync(f"{site.url}/images", tmp_path)


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(ImageSourceError, match="Connection refused"):
        sync("http://127.0.0.1:9/images", tmp_path)


def test_credentials_are_sent_and_never_shown(site: Site, tmp_path: Path) -> None:
    publish(site, {"a.txt": b"a==1\n"}, [entry("x", "a.txt"), entry("y", "absent.txt")])
    secret = site.url.replace("://", "://me:secret@") + "/images"
    report = sync(secret, tmp_path)
    assert report.new == ("x",)
    assert set(site.authorizations) == {"Basic bWU6c2VjcmV0"}
    assert "secret" not in report.describe() + json.dumps(report.to_dict())
    assert "secret" not in "".join(path.read_text() for path in tmp_path.glob("*.json"))
    site.pages["/images/index.json"] = 500
    with pytest.raises(ImageSourceError) as raised:
        sync(secret, tmp_path)
    assert "secret" not in str(raised.value)


def test_a_proxy_is_used(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_PROXY", site.url)
    there = "http://images.invalid/colab"
    site.pages |= {
        f"{there}/index.json": json.dumps([entry("x", "a.txt")]).encode(),
        f"{there}/a.txt": b"a==1\n",
    }
    assert sync(there, tmp_path).new == ("x",)


def test_a_folder_on_this_machine(tmp_path: Path) -> None:
    folder = tmp_path / "lists"
    folder.mkdir()
    (folder / "a.txt").write_text("a==1\n")
    (folder / "index.json").write_text(json.dumps([entry("x", "a.txt"), entry("y", "b.txt", "d")]))
    report = sync(str(folder), tmp_path / "images")
    assert (report.new, dict(report.refused)["y"]) == (
        ("x",),
        f"{folder} has no file b.txt, which its index.json names",
    )
    assert sync(folder.as_uri(), tmp_path / "images").current == 1
    copy = sync(str(tmp_path / "images"), tmp_path / "copy")  # a store is a source for another
    assert copy.new == ("x",)
    assert [image.sha256 for image in list_images(tmp_path / "copy")] == [
        image.sha256 for image in list_images(tmp_path / "images")
    ]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{folder}/absent", "there is no folder"),
        ("{folder}", r"has no index\.json"),
        ("ftp://me:secret@h/x", r"cannot fetch lists of images from ftp://\*\*\*\*@h/x"),
        ("--upload-pack=touch", "cannot fetch lists of images from"),
        ("http://", "not an http or https URL"),
    ],
)
def test_what_is_no_source(tmp_path: Path, source: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        sync(source.format(folder=tmp_path), tmp_path / "images")
    assert "secret" not in str(raised.value)
    assert not (tmp_path / "images").exists()


def test_an_image_added_by_hand_is_kept(site: Site, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine==1\n")
    add_image(tmp_path / "mine.txt", name="x", python="3.12", folder=tmp_path / "images")
    url = publish(site, {"a.txt": b"a==1\n"}, [entry("x", "a.txt"), entry("y", "a.txt")])
    report = sync(url, tmp_path / "images")
    assert (report.kept, report.new, report.exit_code) == (("x",), ("y",), 0)
    assert count_lists(site) == 1


def test_raw_files_where_there_is_no_git(
    site: Site,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = publish_small(tmp_path / "backend-info").serve_raw(site)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setenv("TIERPROOF_IMAGES_URL", url)
    source = open_source()
    assert isinstance(source, HttpSource)
    source = HttpSource(url, {}, today="2026-05-02")
    report = sync_images(source, tmp_path / "images")
    found = {image.label: image for image in list_images(tmp_path / "images")}
    assert set(found) == {  # the head's README no longer names 2026.01
        "colab:2026.04",
        "colab:2026.04-gpu",
        "colab:2026.04-tpu",
        "colab:2026-05",
        "colab:2026-05-gpu",
        "colab:2026-05-tpu",
    }
    assert report.exit_code == 0
    assert found["colab:2026.04-gpu"].os == "Ubuntu 22.04.4 LTS"
    assert found["colab:2026.04-tpu"].os == "Ubuntu 24.04 LTS"  # of which no file tells, but the README
    assert found["colab:2026.04-gpu"].pinned
    assert (found["colab:2026-05"].numpy, found["colab:2026-05"].python) == ("2.1.1", "3.12.13")
    site.requests.clear()
    again = sync_images(source, tmp_path / "images")
    assert (again.new, again.updated, again.current) == ((), (), 6)
    pinned = next(image.commit for image in found.values() if image.name == "colab:2026.04")
    assert not [path for path in site.requests if pinned in path and path.endswith("freeze.txt")]


def test_a_server_with_nothing_on_it(site: Site, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"neither an index\.json nor HEAD/README\.md"):
        sync(site.url, tmp_path)


def test_the_page_of_a_repository_stands_for_its_raw_files() -> None:
    assert HttpSource("https://github.com/o/r.git", {}).name == "https://raw.githubusercontent.com/o/r"
