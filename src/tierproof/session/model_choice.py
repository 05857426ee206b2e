"""What the form cell says about the model: a source and a value, turned into a target."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tierproof.core.json_value import JsonValue
from tierproof.errors import UsageError

EXAMPLE_TARGET = "tierproof.notebooks.example_model:build_model"
_GIST_ADDRESS = re.compile(
    r"https?://gist\.github(?:usercontent)?\.com/(?:[^/]+/)?(?P<id>[0-9a-f]+)(?:/(?:raw/)?(?P<revision>[0-9a-f]{7,40}))?"
)
_HUB_ADDRESS = re.compile(r"https?://(?:huggingface\.co|hf\.co)/(?P<id>[^/\s]+(?:/[^/\s]+)?)")


class Source(StrEnum):
    """Where the model comes from."""

    EXAMPLE = "example"
    PATH = "path"
    UPLOAD = "upload"
    GIST = "gist"
    HUB = "hub"
    VARIABLE = "variable"


_EXPECTED = {
    Source.PATH: "a file or folder, such as model.py, model.py:TinyGPT or my_model/",
    Source.GIST: "the gist's id or address, with @REVISION to pin it",
    Source.HUB: "a model's id on the hub, such as openai-community/gpt2, or a folder with a config.json",
    Source.VARIABLE: "the name of a variable of this notebook that holds the model",
}


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """What was chosen.

    Attributes:
        source: where from.
        value: as typed.
        trust: run code that comes with a gist or a hub model.
        target: as the command line takes it; empty for a variable.
    """

    source: Source
    value: str = ""
    trust: bool = False
    target: str = ""

    def to_dict(self) -> dict[str, JsonValue]:
        """Give it as JSON."""
        return {
            "source": self.source.value,
            "value": self.value,
            "trust": self.trust,
            "target": self.target,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, JsonValue]) -> ModelChoice:
        """Read what `to_dict` wrote."""
        return cls(
            Source(str(document["source"])),
            str(document["value"]),
            bool(document["trust"]),
            str(document["target"]),
        )


def read_choice(source: str, value: str, *, trust: bool) -> ModelChoice:
    """Read the form. An upload has no target before it has happened.

    Raises:
        UsageError: the source is unknown, or the value is not one for it.
    """
    try:
        chosen = Source(str(source).strip().lower())
    except ValueError:
        raise UsageError(
            f"the field `source` has the unknown value {source!r}", hint=f"Choose one of {', '.join(Source)}."
        ) from None
    value = str(value).strip()
    if chosen in _EXPECTED and not value:
        raise UsageError(
            f"the field `value` is empty, but the source {chosen.value!r} needs it",
            hint=f"Enter {_EXPECTED[chosen]}.",
        )
    return ModelChoice(chosen, value, bool(trust), _make_target(chosen, value))


def _make_target(source: Source, value: str) -> str:
    match source:
        case Source.EXAMPLE:
            return EXAMPLE_TARGET
        case Source.PATH:
            return value
        case Source.GIST:
            if address := _GIST_ADDRESS.match(value):
                revision = address["revision"]
                return f"gist:{address['id']}@{revision}" if revision else f"gist:{address['id']}"
            return f"gist:{value.removeprefix('gist:')}"
        case Source.HUB:
            if address := _HUB_ADDRESS.match(value):
                return f"hf:{address['id']}"
            return f"hf:{value.removeprefix('hf:')}"
        case _:
            return ""
