"""What the command asks of the child that checks; it crosses the process boundary as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from tierproof.core.json_value import JsonValue

# One check of a model of a billion parameters takes minutes on two CPU cores.
DEFAULT_TIMEOUT_S = 900.0


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """The options of `tierproof check`, checked as far as that goes without torch.

    `hub_url`, `gist_url` and `cache_dir` are empty for their defaults, `tier` is a number or "all". After
    `timeout_s` seconds without progress the check counts as hanging.
    """

    target: str
    tier: int | str = 1
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    inputs: str = ""
    device: str | None = None
    seed: int = 0
    budget_s: float | None = None
    weights: bool = False
    trust: bool = False
    spec: Mapping[str, JsonValue] = field(default_factory=dict)
    hub_url: str = ""
    gist_url: str = ""
    cache_dir: str = ""
    debug: bool = False
    timeout_s: float = DEFAULT_TIMEOUT_S

    def to_line(self) -> bytes:
        """One line of JSON."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> CheckRequest:
        """Read what `to_line` wrote."""
        values = json.loads(line)
        return cls(**{**values, "only": tuple(values["only"]), "skip": tuple(values["skip"])})
