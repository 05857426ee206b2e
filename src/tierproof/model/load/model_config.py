"""Read a model's config.json."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tierproof.model.load.target import TargetError

# Names of counts and extents, without indices that count from the end (`vision_feature_layer`: -2).
_SIZE_NAME = re.compile(
    r"(^|.*_)(size|dims?|width|depth|height|channels|classes|features|embd|embed|layers|heads|experts|blocks"
    r"|positions|position_embeddings|vocab|hidden|length|len)$"
    r"|(n|num)_(layer|head|block|expert|class|channel|feature|position|ctx|inner)$"
    r"|d_(model|ff|kv|k|v|inner|state|conv|head)$"
)
_MAY_BE_NEGATIVE = re.compile(r"window|stride|offset|chunk")


def read_config(path: Path) -> dict[str, Any]:
    """Read the JSON object in `path`.

    Raises:
        TargetError: when it is absent, not UTF-8, not JSON, or not an object, or a size in it is negative.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise TargetError(
            f"there is no file {path}", hint="Check the spelling and the current folder."
        ) from error
    except UnicodeDecodeError as error:
        raise TargetError(f"{path} is not UTF-8", hint="Save it as UTF-8.") from error
    except OSError as error:
        raise TargetError(
            f"cannot read {path}: {error.strerror or error}",
            hint="Check that it is a file and that you may read it.",
        ) from error
    return parse_config(text, str(path))


def parse_config(text: str, shown: str) -> dict[str, Any]:
    """Parse a config, named `shown` in messages.

    Raises:
        TargetError: as `read_config`.
    """
    try:
        config = json.loads(text)
    except json.JSONDecodeError as error:
        raise TargetError(
            f"{shown}:{error.lineno}:{error.colno}: invalid JSON: {error.msg}", hint="Fix that line."
        ) from error
    except RecursionError as error:
        raise TargetError(f"{shown} is nested too deeply", hint="Flatten the config.") from error
    if not isinstance(config, dict):
        raise TargetError(
            f"{shown} contains a {type(config).__name__}, not a JSON object",
            hint='Write an object, such as {"hidden_size": 64, "num_layers": 2}. If the config lies next to a '
            "model.py, the keys are the arguments of the model's `__init__` or of `build_model`.",
        )
    refuse_negative_sizes(config, shown)
    return config


def refuse_negative_sizes(config: Mapping[str, Any], shown: str, prefix: str = "") -> None:
    """Refuse negative sizes: torch's own error names no key, and a loop silently runs zero times.

    Raises:
        TargetError: naming the first one.
    """
    for name, value in config.items():
        if isinstance(value, Mapping):
            refuse_negative_sizes(value, shown, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool) and value < 0 and is_size(name):
            raise TargetError(
                f"{shown}: {prefix}{name} is {value}, and a size cannot be negative",
                hint="Use a positive number.",
            )


def is_size(name: str) -> bool:
    """Whether a config key of that name holds a size."""
    lower = name.lower()
    return _SIZE_NAME.match(lower) is not None and _MAY_BE_NEGATIVE.search(lower) is None
