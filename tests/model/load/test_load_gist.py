"""`gist:` targets: other people's code runs once it is trusted, and not before."""

from __future__ import annotations

import json

import pytest

from loopback import site  # noqa: F401 - a fixture
from tierproof.model.load.accepted_code import digest_files, is_accepted, record_accepted
from tierproof.model.load.load import LoadOptions, load_target
from tierproof.model.load.target import TargetError, UntrustedCodeError

MODEL = "from torch import nn\nclass Model(nn.Module):\n    def __init__(self, width=2):\n        super().__init__()\n        self.a = nn.Linear(width, 2)\n"


def gist(**files: object) -> bytes:
    named = {name.replace("__", "."): text for name, text in files.items()}
    return json.dumps(
        {
            "files": {
                name: text if isinstance(text, dict) else {"content": text} for name, text in named.items()
            }
        }
    ).encode()


@pytest.fixture
def load(site, tmp_path):  # noqa: F811
    def load(target: str, **options):
        return load_target(
            target,
            LoadOptions(
                gist_url=site.url, cache_dir=tmp_path / "cache", data_dir=tmp_path / "data", **options
            ),
        )

    return load


def test_a_pinned_gist_is_remembered_once_trusted(site, load, tmp_path):  # noqa: F811
    site.pages["/gists/abc/def"] = gist(model__py=MODEL, config__json='{"width": 5}', notes__md="hello")
    with pytest.raises(UntrustedCodeError, match="SHA-256"):
        load("gist:abc@def")
    assert list(tmp_path.iterdir()) == []
    assert load("gist:abc@def", trust=True).model.a.in_features == 5
    assert load("gist:abc@def").model.a.in_features == 5
    assert sorted(path.name for path in (tmp_path / "cache").rglob("*.*")) == ["config.json", "model.py"]
    site.pages["/gists/abc/def"] = gist(model__py=MODEL + "# changed\n")
    with pytest.raises(UntrustedCodeError):
        load("gist:abc@def")


def test_an_unpinned_gist_always_needs_trust(site, load):  # noqa: F811
    site.pages["/gists/abc"] = gist(model__py=MODEL)
    for _ in range(2):
        with pytest.raises(UntrustedCodeError, match="not pinned"):
            load("gist:abc")
        assert load("gist:abc", trust=True).model.a.in_features == 2


def test_siblings_come_along(site, load):  # noqa: F811
    source = "from parts import Part\nfrom torch import nn\nclass Model(Part):\n    pass\n"
    site.pages["/gists/abc"] = gist(model__py=source, parts__py=MODEL.replace("Model", "Part"))
    assert type(load("gist:abc", trust=True).model).__name__ == "Model"


@pytest.mark.parametrize(
    ("page", "word"),
    [
        (404, "gist:abc was not found"),
        (403, "403"),
        (b"<html>", "is not a gist"),
        (b'{"files": []}', "is not a gist"),
        (b'{"files": {"model.py": 3}}', "is not a gist"),
        (gist(net__py=MODEL), "no model.py (it has net.py)"),
        (json.dumps({"files": {"../model.py": {"content": MODEL}}}).encode(), "no model.py"),
        (gist(model__py={"content": "x", "truncated": True}), "too long"),
        (gist(model__py="def broken(:\n"), "syntax error"),
    ],
)
def test_what_is_no_usable_gist(site, load, page, word):  # noqa: F811
    site.pages["/gists/abc"] = page
    with pytest.raises(TargetError) as caught:
        load("gist:abc", trust=True)
    assert word in caught.value.message
    assert caught.value.hint


def test_folders_that_cannot_be_written(site, load, tmp_path):  # noqa: F811
    site.pages["/gists/abc"] = gist(model__py=MODEL)
    (tmp_path / "cache").write_text("")
    with pytest.raises(TargetError, match="TIERPROOF_CACHE") as caught:
        load("gist:abc", trust=True)
    (tmp_path / "cache").unlink()
    (tmp_path / "data").write_text("")
    with pytest.raises(TargetError, match="TIERPROOF_DATA") as caught:
        load("gist:abc", trust=True)
    assert "cannot record" in caught.value.message


def test_the_digest_goes_by_names_and_contents():
    one = {"a.py": b"1", "b.py": b"2"}
    assert digest_files(one) == digest_files({"b.py": b"2", "a.py": b"1"})
    assert digest_files(one) != digest_files({"a.py": b"12", "b.py": b""})
    assert digest_files(one) != digest_files({"b.py": b"1", "a.py": b"2"})


def test_the_record(tmp_path):
    assert not is_accepted("d1", tmp_path / "data")
    record_accepted("d1", "gist:x@y", tmp_path / "data")
    record_accepted("d1", "gist:x@y", tmp_path / "data")
    record_accepted("d2", "gist:x", tmp_path / "data")
    assert is_accepted("d1", tmp_path / "data")
    assert is_accepted("d2", tmp_path / "data")
    assert len((tmp_path / "data" / "accepted-code.txt").read_text().splitlines()) == 2
