"""T3-TARGET, targets: each place is trained on the right target, and only real targets count.

What it does: reads off the gradient of the scores which target each place was trained on, and compares it with the
batch. It changes tokens at padding and one token of the input, and changes the order of the rows.

Why it matters: targets that are shifted twice, or not at all, teach a model to skip a token or to copy; padding that
counts teaches it to write padding. The loss falls in every case.

Evidence: the offset between inputs and targets, the loss with other values at padding, the rows that the loss reaches.

Exemptions: losses whose gradient is not that of a cross-entropy are judged by their rows and padding only. The first
padded position may be an end token. A source that is to be copied may be seen where its tokens are also in another
tensor of the batch, which is not seen ahead (a decoder's). An autoencoder, where each output sees all tokens, writes
the ones that it sees on purpose, and labels may be the inputs of other places by the data: these get a warning, as does
a step that draws random numbers beside dropout. Further heads may look further ahead, where one looks ahead by one
token.

Findings:
    T3-TARGET-001 error or warning: a place is trained on a token that it sees: the targets are not shifted, or a mask
        is missing.
    T3-TARGET-002 error or warning: each place is trained on the token after the next: the targets are shifted twice.
    T3-TARGET-003 error or warning: padding counts: other values at padded positions change the loss.
    T3-TARGET-004 error: rows at fixed places of the batch do not reach the loss.
    T3-TARGET-005 error: rows at fixed places of the batch weigh more than others.
    T3-TARGET-006 warning: the loss depends on the order of the rows.
    T3-TARGET-007 warning: the same token at the ends of rows counts as a target, and looks like padding.
    T3-TARGET-008 info: the loss is a sum over the rows.
    T3-TARGET-009 error or warning: rows are trained on the labels of other rows.
    T3-TARGET-010 warning: cross-entropy is given probabilities.
    T3-TARGET-011 warning: nll_loss is given scores that are no log-probabilities.
    T3-TARGET-012 warning: inputs and targets of a loss are stretched against each other.

Source: the gradient of cross-entropy by its scores is softmax minus one-hot.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from tierproof.core.finding import Finding, Severity
from tierproof.training.audit.recording.source_line import SourceLine
from tierproof.training.audit.rules.loss_inputs import find_loss_inputs
from tierproof.training.audit.rules.row_use import find_row_faults
from tierproof.training.audit.rules.rule import Rule, RuleOutput, report_finding
from tierproof.training.audit.rules.target_offset import TargetOffset, find_offsets
from tierproof.training.audit.rules.trailing_targets import find_trailing_targets
from tierproof.training.audit.trials.audit_evidence import AuditEvidence

CODE = "T3-TARGET"


def judge_targets(evidence: AuditEvidence) -> RuleOutput:
    """Judge what the step trains on; see the module's docstring."""
    record = evidence.quiet or evidence.plain[0]
    if not record.backwards:
        return RuleOutput(skipped="no backward pass was seen")
    line = record.find_loss_line()
    offsets = find_offsets(evidence)
    findings = [
        *_judge_offsets(offsets, line, sure=not evidence.drawing),
        *_find_counted_padding(evidence, offsets, line),
        *find_row_faults(evidence, line),
        *find_trailing_targets(evidence, line),
        *find_loss_inputs(evidence),
    ]
    measurements: dict[str, float] = {
        "outputs_with_cross_entropy": sum(u.is_cross_entropy for u in record.outputs)
    }
    for each in offsets:
        measurements[f"offset of {each.output or 'the output'} in {each.tensor or 'the batch'}"] = each.offset
    return RuleOutput(tuple(findings), measurements)


def _judge_offsets(
    offsets: tuple[TargetOffset, ...], line: SourceLine | None, *, sure: bool
) -> Iterator[Finding]:
    ahead = {each.offset for each in offsets if each.is_input and not each.visible}
    # An encoder may see what a decoder has to write, as where a sequence is copied.
    written = {each.output for each in offsets if each.is_input and not each.visible and each.offset <= 1}
    for each in offsets:
        if not each.is_input or (each.visible and each.output in written):
            continue
        name = each.tensor or "the batch"
        evidence = {"offset": each.offset, "share": each.share}
        if each.visible:
            yield report_finding(
                f"{CODE}-001",
                Severity.ERROR if sure and not each.may_be_meant else Severity.WARNING,
                f"Each place is trained on a token that it sees: the target at position t is {name} at "
                f"t{each.offset:+d}, and changing that token changes the scores at t: copying is all that is learnt.",
                line=line,
                evidence=evidence,
                hint="Train position t on token t+1 (scores[:, :-1] with tokens[:, 1:]), or mask what lies ahead.",
            )
        elif each.offset >= 2 and 1 not in ahead:
            yield report_finding(
                f"{CODE}-002",
                Severity.ERROR if sure and not each.may_be_meant else Severity.WARNING,
                f"Each place is trained on the token {each.offset} positions ahead: the targets are shifted "
                f"{each.offset} times.",
                line=line,
                evidence=evidence,
                hint="Shift once: models that shift labels themselves (transformers) take labels=input_ids as is.",
            )


def _find_counted_padding(
    evidence: AuditEvidence, offsets: tuple[TargetOffset, ...], line: SourceLine | None
) -> Iterator[Finding]:
    quiet = evidence.quiet
    if quiet is None or quiet.minimised is None or evidence.padding is None:
        return
    # Labels that a decoder gets shifted are a sequence of their own, and the mask is the encoder's.
    written = {each.tensor for each in offsets if each.is_input and not each.visible and each.offset == 0}
    for trial in evidence.padded:
        if trial.what in written:
            continue
        after = trial.record.minimised
        if after is None or math.isclose(after, quiet.minimised, rel_tol=1e-5, abs_tol=1e-8):
            continue
        yield report_finding(
            f"{CODE}-003",
            Severity.WARNING if evidence.drawing else Severity.ERROR,
            f"Padding counts: other values in {trial.what} at positions that {evidence.padding.mask} marks as padding "
            f"change the loss from {quiet.minimised:.4g} to {after:.4g}.",
            line=line,
            evidence={
                "loss": quiet.minimised,
                "loss_after": after,
                "positions": int(evidence.padding.positions.sum()),
            },
            hint="Set labels at padding to -100 (ignore_index), and pass the attention mask to the model.",
        )
        return


RULE = Rule(CODE, "targets", judge_targets)
