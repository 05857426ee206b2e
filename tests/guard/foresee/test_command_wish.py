"""The index settings of an install command, from its options and from each place that configures pip and uv."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierproof.guard.commands.pip_command import parse_pip_commands
from tierproof.guard.commands.requirement_lines import RequirementLines
from tierproof.guard.foresee.command_wish import read_settings

EXTRA = "https://extra.example/simple"
OPTIONS = [
    f"--extra-index-url {EXTRA}",
    "--index-url https://other.example/simple",
    "--find-links https://links.example/",
    "--pre",
    "--no-index",
]
VARIABLES = {
    "PIP_EXTRA_INDEX_URL": "https://more.example/simple",
    "PIP_INDEX_URL": "https://own.example/simple",
    "PIP_FIND_LINKS": "https://more.example/links",
    "UV_INDEX": "https://uv.example/simple",
    "UV_FIND_LINKS": "https://uv.example/links",
}
# What uv takes once.
SINGLE = ("--index-strategy", "--default-index", "--prerelease", "--no-index")


def read(program, options, variables):
    (command,) = parse_pip_commands(f"{program} install captum {' '.join(options)}", {})
    return read_settings(command, RequirementLines(), {"PIP_CONFIG_FILE": "/dev/null", **variables})


@given(
    program=st.sampled_from(["pip", "uv pip"]),
    options=st.lists(st.sampled_from(OPTIONS), max_size=6),
    names=st.sets(st.sampled_from(sorted(VARIABLES))),
    in_file=st.lists(st.sampled_from([("extra-index-url", EXTRA), ("pre", "")]), max_size=3),
)
def test_nothing_that_uv_takes_once_is_said_twice(program, options, names, in_file):
    (command,) = parse_pip_commands(f"{program} install captum {' '.join(options)}", {})
    lines = RequirementLines(options=in_file)
    variables = {"PIP_CONFIG_FILE": "/dev/null", **{name: VARIABLES[name] for name in names}}
    counted = Counter(read_settings(command, lines, variables).options)
    assert all(counted[option] <= 1 for option in SINGLE), counted


@pytest.mark.parametrize("variables", [{}, {"PIP_EXTRA_INDEX_URL": VARIABLES["PIP_EXTRA_INDEX_URL"]}])
def test_every_index_is_asked(variables):
    settings = read("pip", [OPTIONS[0]], variables)
    assert EXTRA in settings.index_urls
    assert set(variables.values()) <= set(settings.index_urls)
    assert settings.options.count("--extra-index-url") == 1 + len(variables)
    assert settings.options.count("--index-strategy") == 1
