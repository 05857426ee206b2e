"""The modules of the rules, in the order in which their results are shown. A new rule is one line here.

Nothing is imported, so that pages can be read without torch.
"""

from __future__ import annotations

RULE_NAMES = (
    "parameters",
    "zeroing",
    "accumulating",
    "targets",
    "modes",
    "clipping",
    "scaling",
    "scheduling",
    "averaging",
    "repeating",
    "reported_loss",
    "live_memory",
    "data_waiting",
    "splitting",
)

RULE_MODULES = tuple(f"tierproof.training.audit.rules.{name}" for name in RULE_NAMES)
