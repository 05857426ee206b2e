"""Run one check on a model with a planted bug, as the runner does."""

from __future__ import annotations

import types

import torch
from torch import nn

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.core.finding import Finding, Severity
from tierproof.model.describe.prepare_subject import prepare_subject
from zoo.handwritten import CharGPT


def run_check(check: Check, model: nn.Module, **options) -> CheckOutput:
    subject = prepare_subject(model, **options)
    torch.manual_seed(0)
    return check.run(CheckContext(subject))


def build_gpt(kind=CharGPT, **options) -> CharGPT:
    torch.manual_seed(0)
    return kind(**options)


def replace_block_forward(model: CharGPT, index: int, forward) -> CharGPT:
    block = model.blocks[index]
    block.forward = types.MethodType(forward, block)
    return model


def only_error(output: CheckOutput) -> Finding:
    errors = [f for f in output.findings if f.severity is Severity.ERROR]
    assert len(errors) == 1, output.findings
    assert errors[0].hint
    assert errors[0].message
    return errors[0]


def find(output: CheckOutput, code: str) -> Finding:
    found = [f for f in output.findings if f.code == code]
    assert found, output.findings
    return found[0]


def alarms(output: CheckOutput) -> list[Finding]:
    return [f for f in output.findings if f.severity is not Severity.INFO]
