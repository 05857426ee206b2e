"""Load a target: from what the user typed to one module."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from tierproof.core.user_folders import find_user_cache_folder, find_user_data_folder
from tierproof.errors import UsageError
from tierproof.model.load.build_module import (
    build_module,
    describe_default_arguments,
    find_default_arguments,
    required_arguments,
)
from tierproof.model.load.choose_entry import choose_entry, describe_choice
from tierproof.model.load.import_scope import ImportScope
from tierproof.model.load.load_folder import load_folder
from tierproof.model.load.load_gist import DEFAULT_GIST_URL, load_gist
from tierproof.model.load.load_hub import DEFAULT_HUB_URL
from tierproof.model.load.load_source import load_file, load_import
from tierproof.model.load.load_transformers import load_transformers
from tierproof.model.load.seeding import seeded
from tierproof.model.load.target import (
    FolderTarget,
    GistTarget,
    HubTarget,
    ImportTarget,
    PathTarget,
    TargetError,
    parse_target,
)
from tierproof.model.load.weights import (
    is_checkpoint,
    load_checkpoint,
    read_checkpoint,
    read_checkpoint_file,
    strip_wrapper,
)


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How to load.

    Attributes:
        weights: read the checkpoint beside the config instead of drawing parameters.
        trust: run code that comes with an hf: or gist: target.
        seed: of the parameters' random draws.
        hub_url: base URL for hf: ids.
        gist_url: base URL for gists, that of GitHub's API.
        cache_dir: where fetched files are kept; None for the user's cache folder.
        data_dir: where accepted code is recorded; None for the user's data folder.
    """

    weights: bool = False
    trust: bool = False
    seed: int = 0
    hub_url: str = DEFAULT_HUB_URL
    gist_url: str = DEFAULT_GIST_URL
    cache_dir: Path | None = None
    data_dir: Path | None = None


@dataclass(frozen=True)
class LoadedModel:
    """A loaded module.

    Attributes:
        model: the module, in the mode and on the device its own code chose.
        target: what the user typed.
        assumptions: what was not said and had to be chosen.
        scope: enter it while the model runs, so that imports inside its forward work as in its own file.
    """

    model: nn.Module
    target: str
    assumptions: tuple[str, ...] = ()
    scope: ImportScope = field(default_factory=ImportScope)


def load_target(target: str, options: LoadOptions | None = None) -> LoadedModel:
    """Load the module that `target` names, drawing its parameters with `options.seed`.

    Random state, `sys.path` and `sys.modules` are as before afterwards (installed packages that the
    target imports stay loaded), and no bytecode is written beside the user's files.

    Raises:
        TargetError: when the target does not lead to one module that has parameters.
        UntrustedCodeError: when it would run code that needs `trust`.
        UsageError: for `weights` with a target that has none.
        MissingPackageError, BrokenPackageError: for transformers or safetensors.
    """
    options = options or LoadOptions()
    with seeded(options.seed):
        loaded = _load(target, options)
    _refuse_empty(loaded)
    return loaded


def _load(target: str, options: LoadOptions) -> LoadedModel:
    parsed = parse_target(target)
    cache = options.cache_dir or find_user_cache_folder()
    if options.weights and not isinstance(parsed, HubTarget | FolderTarget):
        raise UsageError(
            f"--weights cannot be used with {target}",
            hint="`--weights` reads the checkpoint of an hf: or DIR/ target. Other targets load their own weights.",
        )
    match parsed:
        case HubTarget(directory_or_id):
            found = load_transformers(
                directory_or_id,
                weights=options.weights,
                trust=options.trust,
                hub_url=options.hub_url,
                cache=cache,
            )
            return LoadedModel(found.module, target, found.assumptions, found.scope or ImportScope())
        case GistTarget():
            data = options.data_dir or find_user_data_folder()
            gist = load_gist(parsed, trust=options.trust, gist_url=options.gist_url, cache=cache, data=data)
            return LoadedModel(gist.module, target, gist.assumptions, gist.scope)
        case FolderTarget(path) if is_checkpoint(Path(path).expanduser()):
            checkpoint = Path(path).expanduser()
            state, notes = strip_wrapper(read_checkpoint_file(checkpoint, trust=options.trust))
            built = load_folder(checkpoint.parent)
            load_checkpoint(built.module, state, str(checkpoint))
            said = f"{checkpoint.name} holds weights only: the model was built from {built.source} beside it"
            return LoadedModel(built.module, target, (said, *notes, *built.assumptions), built.scope)
        case FolderTarget(path):
            folder = Path(path).expanduser()
            built = load_folder(folder)
            if options.weights:
                load_checkpoint(built.module, read_checkpoint(folder, trust=options.trust), str(folder))
            return LoadedModel(built.module, target, built.assumptions, built.scope)
        case PathTarget() | ImportTarget():
            return _load_named(parsed, target)


def _load_named(parsed: PathTarget | ImportTarget, target: str) -> LoadedModel:
    if isinstance(parsed, PathTarget):
        path = Path(parsed.path).expanduser()
        namespace, scope = load_file(path)
        shown, folder = parsed.path, path.parent.resolve()
    else:
        namespace, scope = load_import(parsed.module)
        shown, folder = parsed.module, Path.cwd()
    with scope:
        entry = choose_entry(namespace, parsed.name, shown)
        name = parsed.name or getattr(entry, "__name__", type(entry).__name__)
        notes = describe_choice(namespace, parsed.name, entry)
        arguments = find_default_arguments(entry, namespace)
        if arguments is not None:
            notes = (*notes, describe_default_arguments(entry, arguments))
        module = build_module(entry, shown=f"{shown}:{name}", folder=folder, arguments=arguments)
    return LoadedModel(module, target, notes, scope)


def load_class(kind: type[nn.Module], options: LoadOptions) -> LoadedModel:
    """Build a model whose class was given in place of an instance, where that needs no arguments.

    Raises:
        TargetError: it needs arguments, or building it raises.
    """
    name = kind.__name__
    home = sys.modules.get(kind.__module__)
    arguments = find_default_arguments(kind, home) if home is not None else None
    required = required_arguments(kind)
    if required and arguments is None:
        raise TargetError(
            f"cannot check the class {name}: this is the class, not a model",
            hint=f"Build an instance first: call {name}({', '.join(f'{item}=...' for item in required)}).",
        )
    with seeded(options.seed):
        module = build_module(kind, shown=name, folder=Path.cwd(), arguments=arguments)
    notes = [f"{name} is a class: {name}() was built with seed {options.seed}, and checked"]
    if arguments is not None:
        notes = [describe_default_arguments(kind, arguments)]
    return LoadedModel(module, "", tuple(notes))


def _refuse_empty(loaded: LoadedModel) -> None:
    model = loaded.model
    if any(True for _ in model.parameters()):
        return
    what = "is an empty module" if not any(True for _ in model.children()) else "has no parameters"
    raise TargetError(
        f"{loaded.target}: {type(model).__name__} {what}, so there is nothing to check",
        hint="Use nn.ModuleList or nn.ModuleDict: layers in a plain list or dict are not registered.",
    )
