"""What is shown holds no password."""

from __future__ import annotations

import pytest

from tierproof.core.credentials import hide_credentials, strip_credentials


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:secret@host/simple", "https://****@host/simple"),
        ("git+https://token@host/a.git", "git+https://****@host/a.git"),
        ("one https://a:b@x/ and http://c@y/", "one https://****@x/ and http://****@y/"),
        ("https://host/a@b", "https://host/a@b"),
        ("name@host.example", "name@host.example"),
        ("", ""),
        # A password that is not percent-encoded.
        ("https://me:pa/ss@host/simple", "https://****@host/simple"),
        ("https://me:pa?s#s@host/simple", "https://****@host/simple"),
        ("https://me:12/34@host.org/simple", "https://****@host.org/simple"),
        ("https://me:a@b@host/simple", "https://****@host/simple"),
        ("https://host:8443/a@1.0", "https://host:8443/a@1.0"),
        ("git+https://host.org:8443/a.git@v1.0#egg=a", "git+https://host.org:8443/a.git@v1.0#egg=a"),
        # Parameters.
        ("x @ https://host/a.whl?token=abc", "x @ https://host/a.whl?token=****"),
        ("https://host/a.whl?raw=true&sig=abc&dl=1", "https://host/a.whl?raw=true&sig=****&dl=1"),
        ("https://host/a.whl?abc123def", "https://host/a.whl?****"),
        ("https://host/a.whl#sha256=abc", "https://host/a.whl#sha256=abc"),
        ("https://host/a.whl#access_token=abc", "https://host/a.whl#access_token=****"),
        ("https://host/page#install-failed", "https://host/page#install-failed"),
        ('{"url": "https://host/a?key=abc", "b": 1}', '{"url": "https://host/a?key=****", "b": 1}'),
    ],
)
def test_user_names_passwords_and_tokens_are_replaced(text: str, shown: str) -> None:
    assert hide_credentials(text) == shown


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("https://user:secret@host/a.whl", "https://host/a.whl"),
        ("https://host/a.whl?token=abc", "https://host/a.whl"),
        ("https://host/a.whl?raw=true&sig=abc#sha256=1", "https://host/a.whl?raw=true#sha256=1"),
        ("https://host/a.whl?sig=abc#egg=a&key=b", "https://host/a.whl#egg=a"),
        ("https://host/a.whl", "https://host/a.whl"),
    ],
)
def test_what_is_left_without_them_is_an_address(text: str, left: str) -> None:
    assert strip_credentials(text) == left
