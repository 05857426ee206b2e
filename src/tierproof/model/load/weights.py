"""Read a checkpoint without running code from it, and load it into a module."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tierproof._optional import require
from tierproof.model.load.target import TargetError
from tierproof.model.load.user_error import shorten

CHECKPOINT_NAMES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "model.pt",
    "model.pth",
)
_INDEX_SUFFIX = ".index.json"
_NESTED_KEYS = ("state_dict", "model", "model_state_dict")
_SUFFIXES = (".pt", ".pth", ".ckpt", ".bin", ".safetensors")
# What DataParallel, torch.compile and a Lightning module that holds a `model` put before each name.
_PREFIXES = ("module.", "_orig_mod.", "model.")
_SAFE_UNPICKLING = (2, 6)  # CVE-2025-32434: before torch 2.6 weights_only=True could be tricked


def read_checkpoint(folder: Path, *, trust: bool = False) -> dict[str, Tensor]:
    """Read the tensors of the checkpoint in `folder`, on the CPU.

    Args:
        folder: holds one of `CHECKPOINT_NAMES`, the first of which is read.
        trust: read a pickle although this torch is too old to do it safely.

    Raises:
        TargetError: when there is none, it is damaged, or it is a pickle that would run code.
    """
    for name in CHECKPOINT_NAMES:
        if (folder / name).is_file():
            break
    else:
        raise TargetError(
            f"{folder} contains no weights",
            hint=f"Add one of {', '.join(CHECKPOINT_NAMES)}, or leave out `--weights`.",
        )
    if not name.endswith(_INDEX_SUFFIX):
        return _read_file(folder / name, trust)
    state: dict[str, Tensor] = {}
    for shard in read_shard_names(folder / name):
        if not (folder / shard).is_file():
            raise TargetError(
                f"{folder / name} names {shard}, which does not exist",
                hint="Add the missing file to the folder.",
            )
        state.update(_read_file(folder / shard, trust))
    return state


def is_checkpoint(path: Path) -> bool:
    """Whether a path names a file of weights."""
    return path.suffix.lower() in _SUFFIXES and path.is_file() and path.stat().st_size > 0


def read_checkpoint_file(path: Path, *, trust: bool = False) -> dict[str, Tensor]:
    """Read the tensors of one checkpoint file, on the CPU.

    Raises:
        TargetError: when it is damaged, holds no state_dict, or is a pickle that would run code.
    """
    return _read_file(path, trust)


def strip_wrapper(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Names without the prefix that a parallel or compiled wrapper put before each; and what was taken off."""
    stripped, notes = dict(state), []
    while prefix := next((p for p in _PREFIXES if stripped and all(n.startswith(p) for n in stripped)), ""):
        stripped = {name.removeprefix(prefix): tensor for name, tensor in stripped.items()}
        notes.append(
            f"the names in the checkpoint begin with `{prefix}`, which a wrapper added; this prefix was ignored"
        )
    return stripped, tuple(notes)


def read_shard_names(index: Path) -> list[str]:
    """The file names that a checkpoint's index lists, each a plain name in the same folder.

    Raises:
        TargetError: when the index is damaged or leads out of its folder.
    """
    try:
        weight_map = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        names = sorted({str(name) for name in weight_map.values()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TargetError(
            f"{index} is not a valid checkpoint index", hint='Write it as {"weight_map": {KEY: FILE}}.'
        ) from error
    for name in names:
        if Path(name).name != name:
            raise TargetError(
                f"{index} names {name!r}, a file outside its folder", hint="Do not use this checkpoint."
            )
    return names


def load_checkpoint(module: nn.Module, state: Mapping[str, Tensor], shown: str) -> None:
    """Load `state` into `module`; names and shapes must match exactly.

    A key may be absent where its tensor is tied to one that is present.

    Raises:
        TargetError: naming the first keys that are missing, unexpected, or of another shape.
    """
    own = module.state_dict(keep_vars=True)
    mismatched = [
        (name, tuple(state[name].shape), tuple(tensor.shape))
        for name, tensor in own.items()
        if name in state and isinstance(tensor, Tensor) and state[name].shape != tensor.shape
    ]
    present = {id(tensor) for name, tensor in own.items() if name in state}
    missing = [name for name, tensor in own.items() if name not in state and id(tensor) not in present]
    unexpected = [name for name in state if name not in own]
    refuse_misfit(missing, unexpected, mismatched, shown)
    module.load_state_dict(dict(state), strict=False)


def refuse_misfit(
    missing: Sequence[str],
    unexpected: Sequence[str],
    mismatched: Sequence[tuple[str, tuple[int, ...], tuple[int, ...]]],
    shown: str,
) -> None:
    """Raise an error that says how a checkpoint and a module differ, if they do.

    Args:
        missing: names that only the module has.
        unexpected: names that only the checkpoint has.
        mismatched: name, shape in the checkpoint, shape in the module.
        shown: the checkpoint, for messages.

    Raises:
        TargetError: when any of the three is not empty.
    """
    parts = []
    if missing:
        parts.append(f"it lacks {_first(missing)}")
    if unexpected:
        parts.append(f"the model has no {_first(unexpected)}")
    if mismatched:
        shapes = [
            f"{name} ({list(held)} in the checkpoint, {list(wanted)} in the model)"
            for name, held, wanted in mismatched
        ]
        parts.append(f"shapes differ for {_first(shapes)}")
    if parts:
        raise TargetError(
            f"the checkpoint in {shown} does not fit the model: {'; '.join(parts)}",
            hint="Use the weights that belong to this config, or leave out `--weights`.",
        )


def find_surplus_copies(unexpected: Iterable[str], own: Iterable[str]) -> list[str]:
    """The unexpected keys that differ from a key of the module only in a number.

    `h.3.attn.weight` beside a module with only `h.0` to `h.2` means that the model is too small for the
    checkpoint. The head of another task, which is usually ignored, has no such counterpart.
    """
    patterns = {_without_numbers(name) for name in own}
    return [name for name in unexpected if _without_numbers(name) in patterns]


def _without_numbers(name: str) -> str:
    return re.sub(r"\d+", "#", name)


def _first(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _read_file(path: Path, trust: bool) -> dict[str, Tensor]:
    state = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path, trust)
    for key in _NESTED_KEYS:
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
            break
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise TargetError(
            f"{path} does not contain a state_dict of tensors",
            hint="Save it with `torch.save(model.state_dict(), …)`.",
        )
    return {str(name): tensor for name, tensor in state.items()}


def _read_safetensors(path: Path) -> Any:
    require("safetensors", feature="to read a .safetensors checkpoint")
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise _damaged(path, error) from error


def _read_pickle(path: Path, trust: bool) -> Any:
    version = tuple(int(part) for part in torch.__version__.split(".")[:2])
    if version < _SAFE_UNPICKLING and not trust:
        raise TargetError(
            f"torch {torch.__version__} cannot read {path.name} safely (CVE-2025-32434)",
            hint="Use a .safetensors checkpoint or torch 2.6 or later; `--trust` reads it anyway.",
        )
    load: Callable[..., Any] = torch.load
    try:
        return load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        refused = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f" (it uses {refused[1]})" if refused else ""
        raise TargetError(
            f"cannot load {path} safely: it is not a checkpoint, or it is a pickle that would run code{what}",
            hint="Use a checkpoint that holds only tensors, preferably a .safetensors file.",
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> TargetError:
    return TargetError(
        f"{path} is damaged: {shorten(str(error)) or type(error).__name__}", hint="Download it again."
    )
