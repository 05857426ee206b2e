"""What is shown holds no password."""

from __future__ import annotations

import pytest

from tierproof.core.credentials import hide_credentials


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:secret@host/simple", "https://****@host/simple"),
        ("git+https://token@host/a.git", "git+https://****@host/a.git"),
        ("one https://a:b@x/ and http://c@y/", "one https://****@x/ and http://****@y/"),
        ("https://host/a@b", "https://host/a@b"),
        ("name@host.example", "name@host.example"),
        ("", ""),
    ],
)
def test_user_names_passwords_and_tokens_are_replaced(text: str, shown: str) -> None:
    assert hide_credentials(text) == shown
