"""Reports written by hand: what reporters must cope with, without running a check."""

from __future__ import annotations

import math

from tierproof.core.check_result import CheckResult, Outcome
from tierproof.core.finding import Finding, Severity
from tierproof.core.report import Environment, ModelSummary, Report, TraitEvidence
from tierproof.core.standing import Fact, Standing

ENVIRONMENT = Environment("3.11.9", "2.13.0", "cpu")

GPT = ModelSummary(
    class_name="GPT",
    parameters=124_439_808,
    trainable=124_439_808,
    bytes=510_342_192,
    kind="causal-lm",
    traits=("causal", "tied weights", "learned positions"),
    evidence=(
        TraitEvidence(
            "causal", "class name GPT; a lower-triangular buffer `bias`", "output 0 moves with inputs 1 to 15"
        ),
        TraitEvidence("vocabulary", "transformer.wte: 50257 rows", "ids 0 to 50256 accepted"),
        TraitEvidence("maximum length", "transformer.wpe: 1024 rows", ""),
    ),
    inputs=("idx: int64[batch, length] in [0, 50257) (tokens)",),
    assumptions=("The padding id is unknown; nothing was padded.",),
)


def gpt_paths(blocks: int = 12) -> list[str]:
    paths = ["transformer.wte", "transformer.wpe"]
    for block in range(blocks):
        stem = f"transformer.h.{block}"
        paths += [
            f"{stem}.{leaf}"
            for leaf in ("ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj")
        ]
    return [*paths, "transformer.ln_f"]


def gradient_modules(dead: tuple[str, ...] = ()) -> list[dict[str, object]]:
    modules = []
    for index, path in enumerate(gpt_paths()):
        norm = 0.0 if path in dead else round(0.9 * math.exp(-index / 30) * (1.4 + math.sin(index * 1.7)), 5)
        modules.append({"path": path, "gradient_norm": norm, "parameters": 590_592 + 768 * index})
    return modules


def layers(wrong: tuple[str, ...] = ()) -> list[dict[str, object]]:
    rows = []
    for path in gpt_paths():
        if "ln" in path:
            continue
        kind = "Embedding" if path.endswith(("wte", "wpe")) else "Linear"
        expected = 0.02 if "c_proj" not in path else 0.00408
        std = round(expected * (1 + 0.04 * math.sin(len(path) * 3.1 + len(rows))), 6) * (
            9 if path in wrong else 1
        )
        rows.append(
            {
                "path": path,
                "kind": kind,
                "std": std,
                "expected_std": expected,
                "scheme": "GPT-2",
                "mean": 1e-5,
            }
        )
    return rows


MEMORY = {
    "breakdown_bytes": {
        "parameters": 497_759_232,
        "buffers": 12_582_960,
        "gradients": 497_759_232,
        "optimizer": 995_518_464,
        "activations": 886_800_000,
    },
    "training_peak_bytes": 2_890_419_888,
    "inference_peak_bytes": 612_000_000,
    "forecast": [
        {
            "batch": batch,
            "length": length,
            "training_bytes": 2_003_619_888 + batch * length * 3_464_000 + batch * length**2 * 590,
        }
        for batch in (1, 2, 4, 8)
        for length in (64, 128, 256, 512, 1024)
    ],
}
SPEED = {
    "latencies_ms": [221.4, 219.8, 224.0, 218.9, 220.2, 231.7, 219.1, 222.6, 220.9, 247.3, 219.5, 221.0],
    "median_ms": 220.9,
    "p90_ms": 231.7,
    "p99_ms": 247.3,
    "tokens_per_s": 1158.9,
    "flops": 68_080_000_000,
    "achieved_flops_per_s": 308_000_000_000,
    "peak_flops_per_s": 611_000_000_000,
    "peak_share": 0.504,
}
CASES = [
    {"batch": batch, "length": length, "outcome": "ok", "output_shape": [batch, length, 50257]}
    for batch in (1, 2, 3)
    for length in (1, 2, 16, 17, 512, 1024)
]


def influence(length: int = 16, *, leak: bool = False) -> list[list[float]]:
    return [[1.0 if column <= row or leak else 0.0 for column in range(length)] for row in range(length)]


def _passed(code: str, name: str, duration_s: float, **measurements: object) -> CheckResult:
    return CheckResult(code, name, 1, Outcome.PASSED, "", duration_s, measurements)  # type: ignore[arg-type]


def _skipped(code: str, name: str, reason: str) -> CheckResult:
    return CheckResult(code, name, 1, Outcome.SKIPPED, reason)


def passing_report() -> Report:
    return Report(
        version="0.1.0",
        target="hf:gpt2",
        model=GPT,
        environment=ENVIRONMENT,
        seed=0,
        duration_s=38.214,
        results=(
            _passed("T1-SHAPE", "shapes", 6.2, cases=CASES, output_dtype="float32", largest_length=1024),
            _passed("T1-GRAD", "gradient flow", 3.4, modules=gradient_modules(), directional_error=2.1e-7),
            _passed("T1-STAB", "output stability", 4.0, repeat_difference=0.0, fp16_finite=True),
            _passed(
                "T1-INIT", "parameter initialisation", 0.31, layers=layers(), loss=10.98, uniform_loss=10.825
            ),
            _passed("T1-CAUSAL", "causality", 1.1, influence=influence(), largest_leak=0.0),
            _passed("T1-MEM", "memory footprint", 7.7, **MEMORY),
            _passed("T1-SPEED", "inference speed", 5.9, **SPEED),
            _skipped("T1-CROSS", "cross-attention", "The model has no encoder."),
        ),
    )


def failing_report() -> Report:
    dead = ("transformer.h.7.mlp.c_fc", "transformer.h.7.mlp.c_proj")
    shape = CheckResult(
        "T1-SHAPE", "shapes", 1, Outcome.PASSED, "", 6.2, {"cases": CASES, "output_dtype": "float32"}
    )
    gradient = CheckResult(
        "T1-GRAD",
        "gradient flow",
        1,
        Outcome.FAILED,
        "",
        3.4,
        {"modules": gradient_modules(dead), "directional_error": 2.1e-7},
        tuple(
            Finding(
                "T1-GRAD-002",
                Severity.ERROR,
                f"No gradient reaches {path}: its weights will never change.",
                path,
                {"gradient_norm": 0.0, "median_gradient_norm": 0.612},
                "Look for .detach(), torch.no_grad() or a branch multiplied by zero after this module.",
            )
            for path in dead
        ),
    )
    causal = CheckResult(
        "T1-CAUSAL",
        "causality",
        1,
        Outcome.FAILED,
        "",
        1.1,
        {"influence": influence(leak=True), "largest_leak": 0.83},
        (
            Finding(
                "T1-CAUSAL-001",
                Severity.ERROR,
                "Changing token 9 moves output 3: the model sees the future, so its training loss "
                "will look far too good and its samples will be noise.",
                "transformer.h.0.attn",
                {"relative_change": 0.83, "threshold": 1e-4, "first_output": 3, "input_position": 9},
                "Give this attention a causal mask: is_causal=True in scaled_dot_product_attention, "
                "or fill scores above the diagonal with -inf before the softmax.",
                (
                    Fact(
                        "causality",
                        Standing.DECLARED,
                        "causal: the triangular mask transformer.h.0.attn.bias",
                    ),
                    Fact("input `idx`", Standing.MEASURED, "tokens, looked up in a table of 50257 rows"),
                    Fact("kind", Standing.GIVEN, "causal-lm, by ModelSpec.kind"),
                ),
            ),
        ),
    )
    init = CheckResult(
        "T1-INIT",
        "parameter initialisation",
        1,
        Outcome.PASSED,
        "",
        0.31,
        {"layers": layers(("transformer.h.2.attn.c_attn",)), "loss": 11.6, "uniform_loss": 10.825},
        (
            Finding(
                "T1-INIT-003",
                Severity.WARNING,
                "The weights are 9 times as spread as GPT-2's scheme gives.",
                "transformer.h.2.attn.c_attn",
                {"std": 0.18, "expected_std": 0.02},
                "Draw them from N(0, 0.02²), or say in the spec that this is meant.",
            ),
        ),
    )
    return Report(
        version="0.1.0",
        target="nanogpt/model.py:build_model",
        model=GPT,
        environment=ENVIRONMENT,
        seed=0,
        duration_s=41.93,
        results=(
            causal,
            shape,
            gradient,
            CheckResult(
                "T1-STAB",
                "output stability",
                1,
                Outcome.ERRORED,
                "RuntimeError: \"addmm_impl_cpu_\" not implemented for 'Half' (while trying fp16)",
                0.8,
            ),
            init,
            _passed("T1-MEM", "memory footprint", 7.7, **MEMORY),
            _passed("T1-SPEED", "inference speed", 5.9, **SPEED),
            _skipped("T1-CROSS", "cross-attention", "The model has no encoder."),
        ),
    )


def inconclusive_report() -> Report:
    return Report(
        version="0.1.0",
        target="model.py",
        model=GPT,
        environment=ENVIRONMENT,
        seed=3,
        duration_s=2.5,
        results=(
            _passed("T1-SHAPE", "shapes", 1.2, cases=CASES),
            CheckResult(
                "T1-GRAD",
                "gradient flow",
                1,
                Outcome.ERRORED,
                "MemoryError: 12.4 GiB asked for, 3.1 GiB free",
                0.9,
            ),
            _skipped("T1-CROSS", "cross-attention", "The model has no encoder."),
        ),
    )


def empty_report() -> Report:
    model = ModelSummary("Module", 0, 0, 0, "unknown")
    return Report("0.1.0", "model.py", model, ENVIRONMENT, 0, 0.0, ())


def skipped_report() -> Report:
    report = empty_report()
    skipped = _skipped("T1-CAUSAL", "causality", "The model is an encoder.")
    return Report(report.version, report.target, report.model, report.environment, 0, 0.1, (skipped,))


NASTY = (
    "<script>alert('x')</script> | `a` *b* _c_ [d](http://e.example/f) <!-- ]]> & \"q\" "
    "\x1b[31mred\x1b[0m \x00\x08 \u202egnirts \ud800 $x$ #1"
)


def nasty_report(text: str = NASTY) -> Report:
    """Every text of the report is `text`, and the numbers are the worst ones."""
    finding = Finding(
        text, Severity.ERROR, text, text, {"ratio": math.nan, text: text, "peak_bytes": math.inf}, text
    )
    warning = Finding(
        text, Severity.WARNING, text, "", {"values": [math.nan, -math.inf, 1, 2, 3, 4, 5, 6, 7]}, text
    )
    return Report(
        version="0.1.0",
        target=text,
        model=ModelSummary(
            text, 1, 0, 1, text, (text,), (TraitEvidence(text, text, text),), (text,), (text,)
        ),
        environment=Environment(text, text, text),
        seed=0,
        duration_s=1e6,
        results=(
            CheckResult(
                "T1-GRAD",
                text,
                1,
                Outcome.FAILED,
                "",
                1.0,
                {
                    "modules": [
                        {"path": text, "gradient_norm": math.nan},
                        {"path": text, "gradient_norm": "Infinity"},
                        {"path": text, "gradient_norm": 1.0},
                    ],
                    text: {text: text, "b": None},
                },
                (finding, finding, warning),
            ),
            CheckResult(text, text, 1, Outcome.ERRORED, text, 0.0),
            CheckResult(text, text, 1, Outcome.SKIPPED, text, 0.0),
        ),
    )
