"""What is on uv's command line, and what is in its environment."""

from __future__ import annotations

import pytest

from tierproof.guard.resolve.hide_arguments import hide_arguments


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        (["--default-index", "https://a:b@h/s"], {}, {"UV_DEFAULT_INDEX": "https://a:b@h/s"}),
        (["--default-index=https://h/s"], {"UV_DEFAULT_INDEX": "https://old"}, {"UV_DEFAULT_INDEX": "https://h/s"}),
        (["--extra-index-url", "https://1", "--extra-index-url", "https://2"], {}, {"UV_EXTRA_INDEX_URL": "https://1 https://2"}),
        (["--index", "mine=https://1"], {}, {"UV_INDEX": "mine=https://1"}),
        (["--find-links", "/b"], {"UV_FIND_LINKS": "/a"}, {"UV_FIND_LINKS": "file:///b,file:///a"}),
        (["--find-links", "/a b,c"], {}, {"UV_FIND_LINKS": "file:///a%20b%2Cc"}),
        (["--find-links", "https://h/a,b"], {}, {"UV_FIND_LINKS": "https://h/a%2Cb"}),
        (["--default-index", "/a b"], {}, {"UV_DEFAULT_INDEX": "file:///a%20b"}),
        ([], {"UV_FIND_LINKS": "/a"}, {"UV_FIND_LINKS": "/a"}),
    ],
)  # fmt: skip
def test_addresses_are_handed_over_by_the_environment(
    arguments: list[str], environment: dict[str, str], expected: dict[str, str]
) -> None:
    left, given = hide_arguments(["pip", *arguments, "--quiet"], environment)
    assert left == ["pip", "--quiet"]
    assert given == expected
