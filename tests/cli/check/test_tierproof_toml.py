"""tierproof.toml and --spec: what is read, and what is refused."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierproof.cli.check.spec_option import parse_spec
from tierproof.cli.check.tierproof_toml import read_check_config
from tierproof.errors import UsageError


@pytest.fixture
def config(tmp_path):
    def config(text: str | bytes):
        path = tmp_path / "tierproof.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_check_config(path)

    return config


def test_every_key(config, tmp_path):
    read = config(
        "[check]\ntier = 1\nonly = 'T1-SHAPE'\nskip = ['A', 'B']\ninputs = 'i.py:x'\ndevice = 'cpu'\nseed = 1\n"
        "budget = 2\nweights = true\noutput = ['a.html', '/abs/b.md']\nhub-url = 'http://h'\ngist-url = 'http://g'\n"
        "quiet = false\n[check.spec]\nvocab_size = 5\n"
    )
    assert read.options == {
        "tier": "1",
        "only": "T1-SHAPE",
        "skip": "A,B",
        "inputs": f"{tmp_path}/i.py:x",
        "device": "cpu",
        "seed": 1,
        "budget": 2,
        "weights": True,
        "output": [f"{tmp_path}/a.html", "/abs/b.md"],
        "hub-url": "http://h",
        "gist-url": "http://g",
        "quiet": False,
    }
    assert read.spec == {"vocab_size": 5}


def test_an_empty_file_is_no_default(config):
    assert config("").options == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[train]\n", "unknown table or key 'train'"),
        ("check = 3\n", "`check` must be a table"),
        ("[check]\nspec = 3\n", "`check.spec` must be a table"),
        ("[check]\nseed = true\n", "seed must be an integer"),
        ("[check]\nbudget = 'x'\n", "budget must be a number"),
        ("[check]\nonly = [1]\n", "only must be a list of strings or a string"),
        ("[check]\nquiet = 1\n", "quiet must be true or false"),
        ("[check]\ntrust = true\n", "`trust` cannot be set in this file"),
        ("[check]\nbatch = 1\n", "unknown key 'batch'"),
        ("[check", "not valid TOML"),
        (b"\xff", "not UTF-8"),
    ],
)
def test_refused(config, text, words):
    with pytest.raises(UsageError) as caught:
        config(text)
    assert words in caught.value.message
    assert caught.value.hint


def test_absent(tmp_path):
    with pytest.raises(UsageError, match="cannot read"):
        read_check_config(tmp_path / "absent.toml")


def test_spec_values():
    pairs = ["vocab_size=9", "causal=FALSE", "image-size=4x5", "kind=vision"]
    assert parse_spec(pairs, {"vocab_size": 3, "max_length": 7}) == {
        "vocab_size": 9,
        "max_length": 7,
        "causal": False,
        "image_size": [4, 5],
        "kind": "vision",
    }


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_spec_is_read_or_refused(key, value):
    try:
        parse_spec([f"{key}={value}"], {})
    except UsageError as error:
        refused = error
    else:
        return
    assert refused.message


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "tierproof.toml")
    with pytest.raises(UsageError, match="not a regular file"):
        read_check_config(tmp_path / "tierproof.toml")


def test_a_mark_at_the_front_and_deep_nesting(config):
    assert config(b"\xef\xbb\xbf[check]\nseed = 3\n").options == {"seed": 3}
    with pytest.raises(UsageError, match="nested too deeply"):
        config(f"check = {'[' * 100_000}")
