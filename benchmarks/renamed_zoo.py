"""Part (n): what the checks say of healthy models whose every name is another, at random or misleading.

A name proves nothing: no error may come of one. Where a model's inputs are known by their names alone, it is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from table import format_table
from zoo_sweep import Record, find_codes, prepare_process, sweep

if TYPE_CHECKING:
    from torch import nn

    from zoo.healthy import ZooModel

_FOLDER = Path(__file__).resolve().parent / ".zoo"
NAMINGS = ("random", "misleading")


def run() -> tuple[str, bool]:
    """The table over the whole zoo under both namings, and whether no error is new."""
    prepare_process()
    from zoo.healthy import list_zoo

    _FOLDER.mkdir(exist_ok=True)
    return summarize(sweep(list(rename_all(list_zoo())), _FOLDER / "renamed.jsonl"))


def rename_all(models: Sequence[ZooModel]) -> Iterator[ZooModel]:
    """Each model under each naming; the naming is its family."""
    from zoo.healthy import ZooModel

    for model in models:
        for naming in NAMINGS:
            yield ZooModel(f"{model.name}, {naming}", naming, partial(_build, model, naming))


def _build(model: ZooModel, naming: str, seed: int) -> nn.Module:
    from zoo.rename_module import rename_module

    return rename_module(model.build(seed), seed=seed, mislead=naming == "misleading")


def summarize(records: Sequence[Record]) -> tuple[str, bool]:
    """How many of each naming were judged, and each error that the model does not have under its own names."""
    new = [
        (record["name"], code)
        for record in records
        for code in find_codes(record, "error")
        if not _is_explained(record["name"], code)
    ]
    errored = [(record["name"], code) for record in records for code in record.get("errored", ())]
    died = [r["name"] for r in records if "failure" in r and not _is_refused(r)]
    rows = []
    for naming in NAMINGS:
        named = [record for record in records if record["family"] == naming]
        judged = [record for record in named if "failure" not in record]
        rows.append((
            naming,
            str(len(named)),
            str(len(judged)),
            str(sum(_is_refused(record) for record in named)),
            str(sum(bool(find_codes(record, "error")) for record in judged)),
            str(sum(bool(find_codes(record, "warning")) for record in judged)),
        ))  # fmt: skip
    lines = [
        "Every model of the zoo with other names for its classes, modules, parameters, buffers and arguments.",
        format_table(("names", "models", "judged", "refused", "errors", "warnings"), rows),
        "Refused: the inputs of these models are known by their arguments' names alone; exit 2 asks for `inputs=`.",
        *_list_explained(records),
        *(f"New error: {name}: {code}" for name, code in new),
        *(f"A check crashed: {name}: {code}" for name, code in errored),
        *(f"No report: {name}" for name in died),
    ]
    return "\n".join(lines), not (new or errored or died)


def _list_explained(records: Sequence[Record]) -> list[str]:
    from zoo.explained import EXPLAINED_BY_ITS_CACHE

    seen = {(r["name"].rpartition(", ")[0], code) for r in records for code in find_codes(r, "error")}
    return [
        f"{name} {code}: {why}"
        for (name, code), why in EXPLAINED_BY_ITS_CACHE.items()
        if (name, code) in seen
    ]


def _is_refused(record: Record) -> bool:
    return str(record.get("failure", "")).startswith(("ForwardError", "TargetError", "InputError"))


def _is_explained(name: str, code: str) -> bool:
    from zoo.explained import EXPLAINED, EXPLAINED_BY_ITS_CACHE

    return (name.rpartition(", ")[0], code) in EXPLAINED | EXPLAINED_BY_ITS_CACHE
