"""Load `hf:DIR_OR_ID`: a transformers model from its config, with random or saved parameters."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tierproof._optional import require
from tierproof.model.load.import_scope import ImportScope
from tierproof.model.load.load_hub import fetch_code, fetch_config, fetch_weights, is_hub_id
from tierproof.model.load.load_remote_code import load_remote_class, split_reference
from tierproof.model.load.model_config import is_size, read_config
from tierproof.model.load.target import TargetError, UntrustedCodeError
from tierproof.model.load.transformers_class import choose_class
from tierproof.model.load.user_error import shorten
from tierproof.model.load.weights import find_surplus_copies, read_checkpoint, refuse_misfit
from tierproof.model.sizes.device_memory import find_available_bytes
from tierproof.model.sizes.parameter_count import count_parameters

# The parameters, the copy that puts them back, and their gradients.
_COPIES = 3
_MODEL_KEYS = (
    "AutoModelForSpeechSeq2Seq",
    "AutoModelForSeq2SeqLM",
    "AutoModelForMaskedLM",
    "AutoModelForCausalLM",
    "AutoModelForImageClassification",
    "AutoModel",
)


@dataclass(frozen=True)
class TransformersModule:
    """A transformers model, what was assumed to build it, and the import scope of its own code, if it has any."""

    module: nn.Module
    assumptions: tuple[str, ...]
    scope: ImportScope | None = None


def load_transformers(
    directory_or_id: str, *, weights: bool, trust: bool, hub_url: str, cache: Path
) -> TransformersModule:
    """Build the model that `config.json` describes, in float32 on the CPU.

    The parameters are drawn from torch's current seed, or with `weights` read from the checkpoint. Code
    that comes with the config (`auto_map`) runs only with `trust`.

    Raises:
        TargetError: when no model can be built from it.
        UntrustedCodeError: when only the code that comes with it can build it, and `trust` is False.
        MissingPackageError: when transformers is not installed.
    """
    transformers = require("transformers", feature="to load hf: targets")
    folder, model_id = _find_folder(directory_or_id, hub_url, cache)
    path = folder / "config.json"
    raw = read_config(path)
    auto_map = raw.get("auto_map")
    custom = auto_map if trust and isinstance(auto_map, Mapping) else {}
    if custom and model_id:
        for name in {split_reference(value, str(path))[0] for value in _references(custom)}:
            fetch_code(model_id, name, hub_url=hub_url, folder=folder)
    with _quiet(transformers), ExitStack() as stack:
        scope = stack.enter_context(ImportScope(folder.resolve())) if custom else None
        config = _make_config(raw, custom, transformers, path, scope)
        chosen, assumed = _choose_class(config, raw, custom, transformers, path, scope)
        assumptions = [assumed] if assumed else []
        if isinstance(auto_map, Mapping) and not trust:
            assumptions.append(
                f"the model was built with transformers' own {chosen.__name__}, because code of the folder runs only "
                "with --trust"
            )
        if weights:
            if model_id:
                fetch_weights(model_id, hub_url=hub_url, folder=folder)
            module, noted = _load_weights(chosen, config, folder, trust)
        else:
            module, noted = _build_as_memory_allows(chosen, config, path)
    return TransformersModule(module, (*assumptions, *noted, *_note_precision(config)), scope)


def _find_folder(directory_or_id: str, hub_url: str, cache: Path) -> tuple[Path, str]:
    """The local folder, and the id it was fetched for (empty for a folder of the user's)."""
    folder = Path(directory_or_id).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise TargetError(f"{folder} has no config.json", hint="Pass the folder of a transformers model.")
        return folder, ""
    if folder.is_file():
        raise TargetError(
            f"{folder} is a file, not a folder", hint="Pass the folder that holds the config.json."
        )
    if not is_hub_id(directory_or_id):
        raise TargetError(
            f"there is no folder {folder}",
            hint="Check the spelling; a model id has the form NAME or OWNER/NAME.",
        )
    return fetch_config(directory_or_id, hub_url=hub_url, cache=cache), directory_or_id


def _make_config(
    raw: dict[str, Any], custom: Mapping[str, Any], transformers: Any, path: Path, scope: ImportScope | None
) -> Any:
    if scope is not None and isinstance(reference := custom.get("AutoConfig"), str):
        made: Any = load_remote_class(reference, path, scope)
    else:
        made = _find_config_class(raw, transformers, path)
    _refuse_wrong_types(raw, made, str(path))
    try:
        return made.from_dict(raw)
    except Exception as error:
        raise TargetError(
            f"transformers cannot read {path}: {type(error).__name__}: {shorten(str(error))}",
            hint="Correct that value in the config.",
        ) from error


def _find_config_class(raw: Mapping[str, Any], transformers: Any, path: Path) -> Any:
    model_type = raw.get("model_type")
    if isinstance(model_type, str) and model_type in transformers.CONFIG_MAPPING:
        return transformers.CONFIG_MAPPING[model_type]
    architectures = raw.get("architectures")
    for name in architectures if isinstance(architectures, list) else []:
        found = getattr(getattr(transformers, str(name), None), "config_class", None)
        if model_type is None and isinstance(found, type):
            return found
    if "auto_map" in raw:
        raise UntrustedCodeError(
            f"{path}: model type {model_type!r} needs code that comes with the model",
            hint="Read that code, then run again with `--trust`.",
        )
    if model_type is None:
        raise TargetError(
            f"{path} does not set model_type",
            hint='Add the architecture as transformers names it, such as "model_type": "gpt2" for GPT-2.',
        )
    raise TargetError(
        f"{path}: transformers {transformers.__version__} does not know the model_type {model_type!r}",
        hint="Check the spelling, or install a version of transformers that has it.",
    )


def _refuse_wrong_types(raw: Mapping[str, Any], made: Any, shown: str) -> None:
    """Refuse strings for numbers; older transformers take them and fail far from the config."""
    try:
        defaults = made()
    except Exception:  # noqa: BLE001 - some configs have no defaults; then the names alone tell
        defaults = None
    for name, value in raw.items():
        default = getattr(defaults, name, None)
        numeric = is_size(name) or (isinstance(default, int | float) and not isinstance(default, bool))
        if numeric and isinstance(value, str | Mapping) and not isinstance(default, str):
            raise TargetError(
                f"{shown}: {name} must be a number, not {value!r}", hint=f"Change `{name}` in the config."
            )


def _choose_class(
    config: Any,
    raw: Mapping[str, Any],
    custom: Mapping[str, Any],
    transformers: Any,
    path: Path,
    scope: ImportScope | None,
) -> tuple[Any, str]:
    references = {
        key: value for key, value in custom.items() if key in _MODEL_KEYS and isinstance(value, str)
    }
    if scope is not None and references:
        named = raw.get("architectures") or []
        by_name = [value for value in references.values() if value.rpartition(".")[2] in named]
        reference = (
            by_name[0] if by_name else next(references[key] for key in _MODEL_KEYS if key in references)
        )
        return load_remote_class(reference, path, scope), ""
    try:
        return choose_class(config, transformers)
    except LookupError as error:
        raise TargetError(
            f"{path}: transformers has no model for {type(config).__name__}",
            hint="Check `model_type` in the config.",
        ) from error


def _build_as_memory_allows(chosen: Any, config: Any, path: Path) -> tuple[nn.Module, list[str]]:
    """The model on the CPU; where that has too little memory for a check of it, the model on meta."""
    shape = _build_on_meta(chosen, config)
    available = find_available_bytes()
    if shape is not None and available is not None:
        needed = _COPIES * count_parameters(shape).bytes
        if needed > available:
            note = (
                "the model was built on the meta device, without parameter values: a check needs about "
                f"{needed / 2**30:.1f} GiB of memory, but {available / 2**30:.1f} GiB are available"
            )
            return shape, [note]
    return _build(chosen, config, path), []


def _build_on_meta(chosen: Any, config: Any) -> nn.Module | None:
    """The model without memory; None for a class that computes with numbers while it is built."""
    state = torch.get_rng_state()
    try:
        with torch.device("meta"):
            module: nn.Module = chosen(copy.deepcopy(config))
    except Exception:  # noqa: BLE001 - it is built on the CPU then, which says what is wrong
        return None
    finally:
        torch.set_rng_state(state)
    return module.float()


def _build(chosen: Any, config: Any, path: Path) -> nn.Module:
    try:
        module: nn.Module = chosen(config)
    except Exception as error:
        raise TargetError(
            f"cannot build {chosen.__name__} from {path}: {type(error).__name__}: {shorten(str(error))}",
            hint="Correct the values that the message names.",
        ) from error
    return module.float()


def _load_weights(chosen: Any, config: Any, folder: Path, trust: bool) -> tuple[nn.Module, list[str]]:
    if getattr(config, "quantization_config", None) is not None:
        raise TargetError(
            f"the checkpoint in {folder} is quantised, and tierproof does not load quantised weights",
            hint="Use the checkpoint that is not quantised, or leave out `--weights`.",
        )
    state = read_checkpoint(folder, trust=trust)
    try:
        module, info = chosen.from_pretrained(
            None, config=config, state_dict=state, output_loading_info=True, ignore_mismatched_sizes=True
        )
    except Exception as error:
        raise TargetError(
            f"cannot load the checkpoint in {folder}: {type(error).__name__}: {shorten(str(error))}",
            hint="Use the weights that belong to this config, or leave out `--weights`.",
        ) from error
    missing = sorted(info["missing_keys"])
    unexpected = sorted(info["unexpected_keys"])
    mismatched = sorted((str(item[0]), tuple(item[1]), tuple(item[2])) for item in info["mismatched_keys"])
    surplus = find_surplus_copies(unexpected, _names_with_and_without_prefix(module))
    if missing or mismatched or surplus:
        refuse_misfit(missing, surplus or unexpected, mismatched, str(folder))
    noted = []
    if unexpected:
        noted.append(f"{len(unexpected)} tensors of the checkpoint were not used, such as {unexpected[0]}")
    return module.float(), noted


def _names_with_and_without_prefix(module: nn.Module) -> Iterator[str]:
    """Parameter names as a checkpoint of the bare model, or of one with a head, would have them."""
    prefix = f"{getattr(module, 'base_model_prefix', '')}."
    for name in module.state_dict():
        yield name
        yield name.removeprefix(prefix)


def _note_precision(config: Any) -> list[str]:
    declared = config.__dict__.get("dtype") or config.__dict__.get("torch_dtype") or "float32"
    name = str(declared).removeprefix("torch.")
    return [] if name in ("float32", "auto") else [f"checked in float32; the config declares {name}"]


def _references(auto_map: Mapping[str, Any]) -> list[str]:
    wanted = ("AutoConfig", *_MODEL_KEYS)
    return [value for key, value in auto_map.items() if key in wanted and isinstance(value, str)]


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Keep transformers' advice and progress bars off the terminal, and torch's default dtype as it is."""
    logging = transformers.utils.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    dtype = torch.get_default_dtype()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
