"""TARGET strings: every form, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tierproof.errors import TierproofError, UsageError
from tierproof.model.load.target import (
    FolderTarget,
    GistTarget,
    HubTarget,
    ImportTarget,
    PathTarget,
    TargetError,
    parse_inputs,
    parse_target,
)

NAMES = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,8}", fullmatch=True)
DOTTED = st.lists(NAMES, min_size=1, max_size=3).map(".".join)
PATHS = st.from_regex(r"(/|\./|\.\./)?[a-zA-Z0-9_ -]{1,6}(/[a-zA-Z0-9_ -]{1,6}){0,2}", fullmatch=True).filter(
    lambda path: path.strip() == path
)
TARGETS = st.one_of(
    st.builds(PathTarget, PATHS.map(lambda path: f"{path}.py"), st.just("") | DOTTED),
    st.builds(FolderTarget, PATHS | PATHS.map(lambda path: f"{path}/")),
    st.builds(
        ImportTarget,
        DOTTED.filter(lambda name: name not in ("hf", "gist") and not name.endswith(".py")),
        DOTTED,
    ),
    st.builds(HubTarget, PATHS),
    st.builds(
        GistTarget,
        st.from_regex(r"[0-9a-f]{1,32}", fullmatch=True),
        st.just("") | st.from_regex(r"[0-9a-f]{1,40}", fullmatch=True),
    ),
)


@given(TARGETS)
def test_what_is_written_is_read_back(target):
    assert parse_target(str(target)) == target


@given(st.text(max_size=40))
@example("")
@example(":")
@example("a.py:")
@example("hf:")
@example("gist:@")
@example("a\0.py")
@example("C:\\models\\gpt.py:Model")
def test_any_text_is_a_target_or_one_clear_error(text):
    try:
        parse_target(text)
    except TargetError as error:
        refused = error
    else:
        return
    assert refused.message
    assert refused.hint


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("model.py", PathTarget("model.py")),
        ("a b/model.py:GPT", PathTarget("a b/model.py", "GPT")),
        ("model.py:Outer.Inner", PathTarget("model.py", "Outer.Inner")),
        ("C:\\models\\gpt.py:Model", PathTarget("C:\\models\\gpt.py", "Model")),
        ("exported/", FolderTarget("exported/")),
        ("exported", FolderTarget("exported")),
        (".", FolderTarget(".")),
        ("odd:name/", FolderTarget("odd:name/")),
        ("torchvision.models:resnet18", ImportTarget("torchvision.models", "resnet18")),
        ("hf:gpt2", HubTarget("gpt2")),
        ("hf:./local.py", HubTarget("./local.py")),
        ("gist:abc123", GistTarget("abc123")),
        ("gist:abc123@deadbeef", GistTarget("abc123", "deadbeef")),
    ],
)
def test_each_form(text, target):
    assert parse_target(text) == target


@pytest.mark.parametrize(
    "text",
    ["", "   ", "model.py:", "model.py:1x", "model.py:a-b", "a b:Model", "hf:", "hf: ", "gist:", "gist:a/b"],
)
def test_refused(text):
    with pytest.raises(TargetError):
        parse_target(text)


@pytest.mark.parametrize("text", ["inputs.py", "inputs", "hf:x", "", "pkg.module:make"])
def test_inputs_need_a_file_and_a_name(text):
    with pytest.raises(UsageError, match=r"FILE\.py:NAME") as caught:
        parse_inputs(text)
    assert isinstance(caught.value, TierproofError)


def test_inputs():
    assert parse_inputs("data/inputs.py:make") == PathTarget("data/inputs.py", "make")
