"""Put typing errors into a text."""

from __future__ import annotations

import random
import re
import string

_WORD = re.compile(r"[^\W\d_]{2,}")


def count_words(text: str) -> int:
    """How many words a typing error can be made in: those of two letters or more."""
    return len(_WORD.findall(text))


def add_typos(text: str, count: int, seed: int) -> str:
    """Make one typing error in each of `count` words: two neighbouring letters exchanged, or one left out, added or
    doubled. Each changes the length by at most one; a word is hit once.

    Source: the four kinds are those of Pruthi et al. 2019 without the keyboard, which would favour one language.
    """
    draw = random.Random(seed)
    words = list(_WORD.finditer(text))
    hit = sorted(draw.sample(range(len(words)), min(count, len(words))), reverse=True)
    for number in hit:
        start, end = words[number].span()
        text = text[:start] + _mistype(text[start:end], draw) + text[end:]
    return text


def _mistype(word: str, draw: random.Random) -> str:
    kind = draw.choice(("exchange", "omit", "add", "double"))
    pairs = [place for place in range(len(word) - 1) if word[place] != word[place + 1]]
    if kind == "exchange" and pairs:
        place = draw.choice(pairs)
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    place = draw.randrange(len(word))
    if kind == "omit":
        return word[:place] + word[place + 1 :]
    if kind == "add":
        return word[:place] + draw.choice(string.ascii_lowercase) + word[place:]
    return word[:place] + word[place] + word[place:]
