"""The report: everything a run found, frozen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tierproof.core.atomic_write import write_text_atomically
from tierproof.core.check_result import CheckResult
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.core.renderers import find_renderer, known_suffixes
from tierproof.core.verdict import Verdict, judge
from tierproof.errors import OutputError

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class TraitEvidence:
    """One trait of the model with what declares it and what was measured; empty where nothing did."""

    trait: str
    declared: str = ""
    measured: str = ""

    def to_dict(self) -> dict[str, JsonValue]:
        """Give the evidence as JSON."""
        return {"trait": self.trait, "declared": self.declared, "measured": self.measured}


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """What the model is.

    Attributes:
        class_name: the module's class.
        parameters: elements over all parameters, ties counted once.
        trainable: those that require gradients.
        bytes: parameters and buffers, each storage counted once.
        kind: causal-lm, encoder, encoder-decoder, vision, sequence or unknown.
        traits: short names, such as `causal` or `tied weights`.
        evidence: what each trait rests on.
        inputs: how the model was called, one line per argument.
        assumptions: what could not be known and was assumed.
    """

    class_name: str
    parameters: int
    trainable: int
    bytes: int
    kind: str
    traits: tuple[str, ...] = ()
    evidence: tuple[TraitEvidence, ...] = ()
    inputs: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, JsonValue]:
        """Give the summary as in the contract's JSON."""
        return {
            "class": self.class_name,
            "parameters": self.parameters,
            "trainable": self.trainable,
            "bytes": self.bytes,
            "kind": self.kind,
            "traits": list(self.traits),
            "evidence": [item.to_dict() for item in self.evidence],
            "inputs": list(self.inputs),
            "assumptions": list(self.assumptions),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, JsonValue]) -> ModelSummary:
        """Read what `to_dict` wrote."""
        return cls(
            class_name=str(document["class"]),
            parameters=_integer(document["parameters"]),
            trainable=_integer(document["trainable"]),
            bytes=_integer(document["bytes"]),
            kind=str(document["kind"]),
            traits=_strings(document["traits"]),
            evidence=tuple(
                TraitEvidence(str(item["trait"]), str(item["declared"]), str(item["measured"]))
                for item in _mappings(document["evidence"])
            ),
            inputs=_strings(document["inputs"]),
            assumptions=_strings(document["assumptions"]),
        )


@dataclass(frozen=True, slots=True)
class Environment:
    """Where the checks ran."""

    python: str
    torch: str
    device: str

    def to_dict(self) -> dict[str, JsonValue]:
        """Give the environment as in the contract's JSON."""
        return {"python": self.python, "torch": self.torch, "device": self.device}


@dataclass(frozen=True, slots=True)
class Report:
    """Everything one run of the checks has to say.

    Attributes:
        version: of tierproof.
        target: what was checked, as the user named it.
        model: what the model is.
        environment: where it ran.
        seed: of every random draw.
        duration_s: wall time in seconds.
        results: one per selected check, in the order they ran.
    """

    version: str
    target: str
    model: ModelSummary
    environment: Environment
    seed: int
    duration_s: float
    results: tuple[CheckResult, ...]

    @property
    def verdict(self) -> Verdict:
        """pass, fail or inconclusive."""
        return judge(self.results)

    @property
    def ok(self) -> bool:
        """True only for the verdict `pass`."""
        return self.verdict is Verdict.PASS

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, errors first, then warnings, then notes; in running order within each."""
        order = list(Severity)
        found = [finding for result in self.results for finding in result.findings]
        return tuple(sorted(found, key=lambda finding: order.index(finding.severity)))

    def to_dict(self) -> dict[str, JsonValue]:
        """Give the `check --json` document of the contract."""
        return {
            "format_version": FORMAT_VERSION,
            "tool": "tierproof",
            "version": self.version,
            "target": self.target,
            "verdict": self.verdict.value,
            "ok": self.ok,
            "model": self.model.to_dict(),
            "environment": self.environment.to_dict(),
            "seed": self.seed,
            "duration_s": self.duration_s,
            "results": [result.to_dict() for result in self.results],
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, JsonValue]) -> Report:
        """Read what `to_dict` wrote.

        Raises:
            ValueError: for a document of another format version.
        """
        if document["format_version"] != FORMAT_VERSION:
            raise ValueError(f"report format {document['format_version']} is not {FORMAT_VERSION}")
        model, environment, duration = document["model"], document["environment"], document["duration_s"]
        assert isinstance(model, Mapping)
        assert isinstance(environment, Mapping)
        assert isinstance(duration, int | float)
        return cls(
            version=str(document["version"]),
            target=str(document["target"]),
            model=ModelSummary.from_dict(model),
            environment=Environment(
                str(environment["python"]), str(environment["torch"]), str(environment["device"])
            ),
            seed=_integer(document["seed"]),
            duration_s=float(duration),
            results=tuple(CheckResult.from_dict(item) for item in _mappings(document["results"])),
        )

    def save(self, path: str | Path) -> Path:
        """Write the report in the format its suffix names, whole or not at all.

        Raises:
            OutputError: for an unknown suffix or a path that cannot be written.
        """
        path = Path(path)
        renderer = find_renderer(path.suffix)
        if renderer is None:
            raise OutputError(
                f"cannot save a report as {path.name!r}: unknown suffix {path.suffix!r}",
                hint=f"Use one of {', '.join(known_suffixes())}.",
            )
        write_text_atomically(path, renderer(self))
        return path

    def _repr_html_(self) -> str:
        renderer = find_renderer("html-fragment")
        return renderer(self) if renderer else ""


def _integer(value: JsonValue) -> int:
    assert isinstance(value, int)
    return value


def _strings(value: JsonValue) -> tuple[str, ...]:
    assert isinstance(value, Sequence)
    return tuple(str(item) for item in value)


def _mappings(value: JsonValue) -> tuple[Mapping[str, JsonValue], ...]:
    assert isinstance(value, Sequence)
    return tuple(item for item in value if isinstance(item, Mapping))
