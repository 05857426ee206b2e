"""Keep user names, passwords and tokens out of what is shown or written down.

In a URL they stand before the host, in the query (`?token=…`, signed addresses) or behind the `#`. Which
parameter is a secret no name tells for sure, so all are taken for one but those that are known not to be.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_URL = re.compile(r"(?<=://)[^\s\"'<>`\\]+")
_HIDDEN = "****"
# Where to look in a file or a repository, and what its content must be: never who asks.
_OPEN = frozenset(
    {
        "arch", "branch", "content-type", "dl", "download", "egg", "ext", "file", "filename", "format", "inline",
        "md5", "name", "path", "platform", "python", "raw", "ref", "rev", "revision", "sha1", "sha224", "sha256",
        "sha384", "sha512", "subdirectory", "tag", "type", "version",
    }
)  # fmt: skip
_OTHER_HOST = re.compile(r"@[\w.-]+(:\d+)?/")


def hide_credentials(text: str) -> str:
    """Replace user name, password, token and unknown parameters of each URL in `text` by `****`."""
    return _URL.sub(lambda url: _rewrite(url[0], f"{_HIDDEN}@", lambda name: f"{name}{_HIDDEN}"), text)


def strip_credentials(text: str) -> str:
    """Leave user name, password, token and unknown parameters of each URL in `text` out, so that it stays one."""
    return _URL.sub(lambda url: _rewrite(url[0], "", lambda _: ""), text)


def _rewrite(url: str, user: str, replace: Callable[[str], str]) -> str:
    """Rewrite what follows the `://` of a URL.

    Args:
        url: from the host, or who precedes it, on.
        user: in the place of who precedes it, with the `@`.
        replace: gives what stands for a parameter, of its name with the `=`.
    """
    end = _find_user(url)
    head, rest = (user, url[end:]) if end else ("", url)
    place, hash_sign, fragment = rest.partition("#")
    path, question_mark, query = place.partition("?")
    query, fragment = _rewrite_parameters(query, replace), _rewrite_parameters(fragment, replace)
    return head + path + (question_mark if query else "") + query + (hash_sign if fragment else "") + fragment


def _find_user(url: str) -> int:
    """Return where the part before the host ends, its `@` included; 0 if there is none."""
    authority = re.split(r"[/?#]", url, maxsplit=1)[0]
    if "@" in authority:
        return authority.rindex("@") + 1
    host, colon, port = authority.partition(":")
    last = url.rfind("@") + 1
    if colon and port and not port.isdigit():  # no port: a password with a slash in it
        return last
    if colon and "." not in host and host != "localhost" and _OTHER_HOST.search(url):
        return last
    return 0


def _rewrite_parameters(text: str, replace: Callable[[str], str]) -> str:
    kept = []
    for parameter in text.split("&"):
        name, equals, _ = parameter.partition("=")
        is_open = (
            name.lower() in _OPEN if equals else parameter.replace("-", "").isalpha() and len(parameter) < 24
        )
        kept.append(parameter if is_open or not parameter else replace(name + equals if equals else ""))
    return "&".join(each for each in kept if each)
