"""The report: everything a run found, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tierproof.core.atomic_write import write_bytes_atomically, write_text_atomically
from tierproof.core.check_failed import explain_failure, summarize_results
from tierproof.core.check_result import CheckResult
from tierproof.core.document import (
    DocumentError,
    read_integer,
    read_mapping,
    read_mappings,
    read_number,
    read_text,
    read_texts,
)
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.core.plain_text import clean_text
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
        """Give the summary as it stands in the report's JSON."""
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
            class_name=read_text(document, "class"),
            parameters=read_integer(document, "parameters"),
            trainable=read_integer(document, "trainable"),
            bytes=read_integer(document, "bytes"),
            kind=read_text(document, "kind"),
            traits=read_texts(document, "traits"),
            evidence=tuple(
                TraitEvidence(
                    read_text(item, "trait"), read_text(item, "declared"), read_text(item, "measured")
                )
                for item in read_mappings(document, "evidence")
            ),
            inputs=read_texts(document, "inputs"),
            assumptions=read_texts(document, "assumptions"),
        )


@dataclass(frozen=True, slots=True)
class Environment:
    """Where the checks ran."""

    python: str
    torch: str
    device: str

    def to_dict(self) -> dict[str, JsonValue]:
        """Give the environment as it stands in the report's JSON."""
        return {"python": self.python, "torch": self.torch, "device": self.device}


@dataclass(frozen=True, slots=True, repr=False)
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
        artifact_stem: what the files of its artifacts are named after; `save` sets it.
    """

    version: str
    target: str
    model: ModelSummary
    environment: Environment
    seed: int
    duration_s: float
    results: tuple[CheckResult, ...]
    artifact_stem: str = field(default="report", compare=False)

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

    def raise_if_failed(self) -> None:
        """Raise unless the verdict is `pass`; for tests and scripts.

        Raises:
            CheckFailedError: its message is the first error, or why the model could not be judged.
        """
        if not self.ok:
            raise explain_failure(self.target, self.results)

    def __repr__(self) -> str:
        counts = summarize_results(self.results)
        return clean_text(f"<Report of {self.target}: {self.verdict.value}, {counts}>")

    def __str__(self) -> str:
        renderer = find_renderer(".txt")
        return renderer(self) if renderer else repr(self)

    def to_dict(self) -> dict[str, JsonValue]:
        """Give the document of `check --json`."""
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
            "results": [result.to_dict(stem=self.artifact_stem) for result in self.results],
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, JsonValue]) -> Report:
        """Read what `to_dict` wrote.

        Raises:
            DocumentError: a document of another format version, or one that lacks something.
        """
        if document.get("format_version") != FORMAT_VERSION:
            raise DocumentError(
                f"the report has the format version {document.get('format_version')!r}, but this version of tierproof "
                f"reads {FORMAT_VERSION}",
                hint="Read the report with the version of tierproof that wrote it.",
            )
        environment = read_mapping(document, "environment")
        return cls(
            version=read_text(document, "version"),
            target=read_text(document, "target"),
            model=ModelSummary.from_dict(read_mapping(document, "model")),
            environment=Environment(
                read_text(environment, "python"),
                read_text(environment, "torch"),
                read_text(environment, "device"),
            ),
            seed=read_integer(document, "seed"),
            duration_s=read_number(document, "duration_s"),
            results=tuple(CheckResult.from_dict(item) for item in read_mappings(document, "results")),
        )

    def save(self, path: str | Path) -> Path:
        """Write the report in the format its suffix names, whole or not at all, and its artifacts beside it.

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
        named = replace(self, artifact_stem=path.stem)
        for result in self.results:
            for artifact in result.artifacts:
                write_bytes_atomically(
                    path.with_name(artifact.file_name(path.stem, result.code)), artifact.content
                )
        write_text_atomically(path, renderer(named))
        return path

    def _repr_html_(self) -> str:
        renderer = find_renderer("html-fragment")
        return renderer(self) if renderer else ""
