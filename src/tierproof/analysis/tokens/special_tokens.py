"""The ids that are no text: padding, markers of beginning and end, masks."""

from __future__ import annotations

from typing import Any

from tierproof.model.describe.subject import Subject

_CONFIG_NAMES = (
    "pad_token_id", "bos_token_id", "eos_token_id", "sep_token_id", "cls_token_id", "mask_token_id", "unk_token_id",
    "decoder_start_token_id", "image_token_id", "video_token_id", "audio_token_id",
)  # fmt: skip


def find_special_tokens(subject: Subject, tokenizer: Any = None) -> frozenset[int]:
    """The special ids that the tokenizer names, that the config names, and that the input plan never draws."""
    found = set(subject.inputs.primary_argument.avoid)
    named = getattr(tokenizer, "all_special_ids", None)
    if named is not None:
        found |= {int(each) for each in named}
    decoder = getattr(tokenizer, "get_added_tokens_decoder", None)
    if decoder is not None:
        found |= {int(number) for number, token in decoder().items() if getattr(token, "special", False)}
    config = getattr(subject.model, "config", None)
    for name in _CONFIG_NAMES:
        value = getattr(config, name, None)
        values = value if isinstance(value, list | tuple) else [value]
        found |= {each for each in values if isinstance(each, int) and each >= 0}
    if subject.inputs.pad_token_id is not None:
        found.add(subject.inputs.pad_token_id)
    return frozenset(found)


def list_plain_tokens(vocabulary: int, special: frozenset[int]) -> list[int]:
    """The ids that may stand in an edited input, in order."""
    return [token for token in range(vocabulary) if token not in special]
