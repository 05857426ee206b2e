"""`tierproof.explain`: what the code of a finding means."""

from __future__ import annotations

from tierproof.checks.explain import Explanation, explain_code
from tierproof.training.audit.rules.rule_names import RULE_MODULES


def explain(code: str) -> Explanation:
    """Explain a finding, such as "T1-CAUSAL-001", or a check, such as "T1-CAUSAL"; nothing needs torch.

    Raises:
        UsageError: nothing has that code.
    """
    return explain_code(code, RULE_MODULES)
