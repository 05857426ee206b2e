"""Figures: drawn where the measurements allow, None where not, and never a crash or a trace left."""

from __future__ import annotations

import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import matplotlib as mpl  # noqa: TID253 - a test may
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reporters.fake_reports import CASES, MEMORY, SPEED, gradient_modules, influence, layers
from tierproof.checks.measurements.read_value import read_number
from tierproof.plots.palette import THEME_COLOURS
from tierproof.plots.read_label import read_label
from tierproof.plots.registry import FIGURES, draw_figure
from tierproof.plots.svg import render_inline_svg


def _interval(share):
    return {
        "value": share,
        "low": max(share - 0.2, 0.0),
        "high": min(share + 0.2, 1.0),
        "count": 16,
        "method": "",
    }


FULL = {
    "T1-SHAPE": {"cases": [*CASES, {"batch": 4, "length": 1, "outcome": "failed"}]},
    "T1-GRAD": {"modules": gradient_modules(("transformer.h.7.mlp.c_fc",))},
    "T1-INIT": {"layers": layers(("transformer.h.2.attn.c_attn", "transformer.wte"))},
    "T1-MEM": MEMORY,
    "T1-SPEED": SPEED,
    "T1-CAUSAL": {"influence": influence(leak=True)},
    "T2-ATTENTION": {
        "model": "GPT",
        "patterns": [
            {"path": f"blocks.{n}.attn", "heads": [{"first": 0.2, "previous": 0.1 * n, "local": "NaN"}] * 3}
            for n in range(2)
        ],
    },
    "T2-CAPACITY": {
        "own": {
            "stacks": [
                {
                    "path": "blocks",
                    "states": [
                        {"norm": 1.0, "update": None, "agreement": 0.1},
                        {"norm": 2.0, "update": 0.5, "agreement": 0.4},
                        {"norm": 3.5, "update": 0.4, "agreement": 1.0},
                    ],
                    "alignment": [[1.0, 0.8, 0.5], [0.8, 1.0, 0.9], [0.5, 0.9, 1.0]],
                }
            ],
            "weights": [
                {"name": f"blocks.{n}.mlp.weight", "effective_rank": 3.0 + n, "full_rank": 8}
                for n in range(2)
            ],
        },
    },
    "T2-ATTRIBUTION": {
        "examples": [
            {
                "number": 0,
                "target": "class 1",
                "parts": [
                    {
                        "name": "tokens",
                        "kind": "tokens",
                        "pieces": ["a", " cat"],
                        "grid": [],
                        "scores": {"ablation": [0.5, -0.25], "gradient_times_input": [0.1, "NaN"]},
                    },
                    {
                        "name": "pixels",
                        "kind": "image",
                        "pieces": [str(place) for place in range(6)],
                        "grid": [1, 2, 3],
                        "scores": {"ablation": [0.5, -0.25, 0, 1, 2, 3]},
                    },
                ],
            }
        ]
    },
    "T2-ROBUSTNESS": {
        "answer": "class",
        "rows": 16,
        "chance_share": 0.25,
        "perturbations": [
            {"name": name, "strength": strength, "setting": words, "rows": 16, "kept": _interval(share)}
            for name, strength, words, share in (
                ("swap", 0.1, "10% of the tokens", 0.9),
                ("swap", 0.3, "30% of the tokens", 0.6),
                ("embedding noise", 0.5, "0.5 of the embeddings' spread", 0.7),
                ("precision", 0.004, "bfloat16", 1.0),
                ("padding", 0.25, "on the right", 1.0),
            )
        ],
    },
    "T2-ADVERSARIAL": {
        "budget_passes": 64,
        "searches": [
            {"name": name, "turned": _interval(share), "by_passes": [[11, share]], "by_tokens": [[2, share]]}
            for name, share in (("hotflip", 0.9), ("greedy coordinate", 0.8), ("random", 0.3))
        ],
    },
}


def _cases(*outcomes):
    return [{"batch": 1, "length": n, "outcome": outcome} for n, outcome in enumerate(outcomes)]


def _norms(*norms):
    return [{"path": f"m{place}", "gradient_norm": norm} for place, norm in enumerate(norms)]


@pytest.mark.parametrize("code", FIGURES)
def test_full_measurements_are_drawn(code):
    figure = draw_figure(code, FULL[code])
    assert figure.get_label()
    svg = render_inline_svg(figure)
    root = ET.fromstring(svg)
    assert root.get("role") == "img"
    assert root.get("aria-label") == figure.get_label()
    assert not any(colour in svg for colour in THEME_COLOURS)
    assert "http" not in svg
    assert "<style" not in svg
    ids = {element.get("id") for element in root.iter()} - {None}
    for used in re.findall(r"url\(#([^)]+)\)", svg):
        assert used in ids


@pytest.mark.parametrize("code", FIGURES)
def test_svg_is_reproducible(code):
    assert render_inline_svg(draw_figure(code, FULL[code])) == render_inline_svg(
        draw_figure(code, FULL[code])
    )


@pytest.mark.parametrize("code", [*FIGURES, "T1-NONE"])
def test_missing_measurements_draw_nothing(code):
    for empty in ({}, {key: [] for key in FULL.get(code, {})}, dict.fromkeys(FULL.get(code, {}), "text")):
        assert draw_figure(code, empty) is None


@pytest.mark.parametrize(
    ("code", "measurements", "said"),
    [
        ("T1-SHAPE", {"cases": _cases("passed", "ok")}, "combinations of batch size and length: 2 accepted (dot)."),
        ("T1-SHAPE", {"cases": _cases("ok", "raised", "failed")}, "1 accepted (dot), 2 failed (cross)."),
        ("T1-SHAPE", {"cases": _cases("ok", "not tried: no time left", None)}, "2 not tried or not judged (dash)."),
        ("T1-SHAPE", {"cases": _cases(*["ok"] * 20)}, "20 combinations"),
        ("T1-INIT", {"layers": [{"std": 9.0, "expected_std": x / 100} for x in (1, 2, 4, 8, 16, 32)]}, "6 off"),
        ("T1-GRAD", {"modules": gradient_modules()[:8]}, "8 modules in forward order, from"),
        ("T1-GRAD", {"modules": _norms(0, "NaN", math.inf, 1e-320, 2)}, "3 zero"),
        ("T1-GRAD", {"modules": _norms(*range(30))}, "1 zero or non-finite"),
        ("T1-GRAD", {"modules": _norms(*[0] * 30)}, "30 zero"),
        ("T1-INIT", {"layers": [{"path": "a", "std": 0.1, "expected_std": 0.1}]}, "none off"),
        ("T1-MEM", {"breakdown_bytes": {"parameters": 10, "buffers": 0}}, "takes 10 B"),
        ("T1-MEM", {"forecast": MEMORY["forecast"][:2] + MEMORY["forecast"][-1:]}, "Forecast"),
        ("T1-SPEED", {"latencies_ms": [1.0, 1.0, 1.0]}, "3 forward passes"),
        ("T1-SPEED", {"latencies_ms": [0, 0], "median_ms": 0}, "2 forward passes"),
        ("T1-SPEED", {"peak_share": 1.4}, "140.0% of this machine's measured peak"),
        ("T1-CAUSAL", {"influence": influence()}, "no output depends on a later input"),
        ("T1-CAUSAL", {"influence": [[0.1, math.nan], [0.0, 0.5]]}, "1 pairs"),
        ("T1-CAUSAL", {"influence": influence(200, leak=True)}, "200 inputs on 200 outputs"),
        ("T1-CAUSAL", {"influence": [[0, 0], [0, 0]]}, "no output depends on a later input"),
        ("T1-CAUSAL", {"influence": [[True, False, False]]}, "3 inputs on 1 outputs"),
    ],
)  # fmt: skip
def test_captions_say_what_is_seen(code, measurements, said):
    figure = draw_figure(code, measurements)
    assert said in figure.get_label()
    ET.fromstring(render_inline_svg(figure))


@pytest.mark.parametrize("matrix", [[[1, 0], [1]], [[]], ["ab"], [1, 2], "ab"])
def test_misshapen_matrix_is_not_drawn(matrix):
    assert draw_figure("T1-CAUSAL", {"influence": matrix}) is None


def test_influence_of_long_inputs_stays_small():
    assert len(render_inline_svg(draw_figure("T1-CAUSAL", {"influence": influence(512)}))) < 40_000


numbers = st.sampled_from(
    [0, 1, -1, 2**70, 10**400, 1e-320, 1e308, math.nan, math.inf, "NaN", "Infinity", True, None, "x"]
)
anything = st.recursive(
    numbers | st.text(max_size=5) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
value = numbers | st.floats() | anything


def _records(*keys):
    return st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(keys, value)), max_size=4)


intervals = st.fixed_dictionaries(dict.fromkeys(("value", "low", "high"), value)) | value
curves = st.lists(st.lists(value, min_size=2, max_size=2), max_size=3) | value
shapes = {
    "T1-SHAPE": {"cases": _records("batch", "length", "outcome")},
    "T1-GRAD": {"modules": _records("path", "gradient_norm")},
    "T1-INIT": {"layers": _records("path", "kind", "std", "expected_std")},
    "T1-MEM": {
        "breakdown_bytes": st.dictionaries(st.sampled_from(["parameters", "activations"]), value),
        "forecast": _records("batch", "length", "training_bytes"),
    },
    "T1-SPEED": {
        "latencies_ms": st.lists(value, max_size=4),
        "median_ms": value,
        "p99_ms": value,
        "peak_share": value,
    },
    "T1-CAUSAL": {"influence": st.lists(st.lists(value, min_size=2, max_size=2), max_size=3)},
    "T2-ATTENTION": {
        "model": value,
        "unread": value,
        "patterns": st.lists(
            st.fixed_dictionaries(
                {"heads": _records("first", "previous", "local", "diagonal", "induction", "nearest")},
                optional={"path": value, "kind": value, "queries": value},
            ),
            max_size=3,
        ),
    },
    "T2-CAPACITY": {
        "own": st.fixed_dictionaries(
            {
                "stacks": st.lists(
                    st.fixed_dictionaries(
                        {
                            "path": st.just("blocks") | value,
                            "states": _records("norm", "update", "agreement"),
                            "alignment": st.lists(st.lists(value, max_size=3), max_size=3) | value,
                        }
                    ),
                    max_size=2,
                ),
                "weights": _records("name", "effective_rank", "full_rank"),
            }
        ),
    },
    "T2-ATTRIBUTION": {
        "examples": st.lists(
            st.fixed_dictionaries(
                {"parts": _records("name", "kind", "pieces", "grid", "scores"), "number": value}
            )
            | st.fixed_dictionaries(
                {
                    "parts": st.lists(
                        st.fixed_dictionaries(
                            {
                                "pieces": st.just(["a", "b"]),
                                "grid": st.just([]) | st.just([1, 2, 1]) | anything,
                                "scores": st.fixed_dictionaries(
                                    {"ablation": st.lists(value, min_size=2, max_size=2)}
                                ),
                            }
                        ),
                        max_size=2,
                    )
                }
            ),
            max_size=2,
        )
    },
    "T2-ROBUSTNESS": {
        "chance_share": value,
        "unperturbed": intervals,
        "perturbations": st.lists(
            st.fixed_dictionaries(
                {"name": st.sampled_from(["swap", "noise", "precision", "padding", "?"]), "kept": intervals},
                optional={"strength": value, "setting": value},
            ),
            max_size=4,
        ),
    },
    "T2-ADVERSARIAL": {
        "budget_passes": value,
        "searches": st.lists(
            st.fixed_dictionaries(
                {"turned": intervals}, optional={"name": value, "by_passes": curves, "by_tokens": curves}
            ),
            max_size=4,
        ),
    },
}


@pytest.mark.parametrize("code", FIGURES)
@given(data=st.data())
@settings(max_examples=12)
def test_no_measurement_crashes_a_figure(code, data):
    optional = {key: strategy | anything for key, strategy in shapes[code].items()}
    figure = draw_figure(code, data.draw(st.fixed_dictionaries({}, optional=optional)))
    if figure is not None:
        ET.fromstring(render_inline_svg(figure))


def test_hostile_names_are_labels(recwarn):
    names = ["$\\frac{", "<b>&", "\x1b[31m", "名前", "\ud800", "a" * 90]
    figure = draw_figure("T1-GRAD", {"modules": [{"path": name, "gradient_norm": 1.0} for name in names]})
    svg = render_inline_svg(figure)
    svg.encode("utf-8")
    assert "$\\frac{" in "".join(ET.fromstring(svg).itertext())
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]


def test_style_of_the_user_is_left_alone():
    mpl.rcParams["font.size"] = 31.0
    before = dict(mpl.rcParams)
    try:
        first = render_inline_svg(draw_figure("T1-GRAD", FULL["T1-GRAD"]))
        assert dict(mpl.rcParams) == before
    finally:
        mpl.rcdefaults()
    assert first == render_inline_svg(draw_figure("T1-GRAD", FULL["T1-GRAD"]))


def test_pyplot_is_never_imported():
    program = (
        "import sys; from tierproof.plots.registry import draw_figure\n"
        "from tierproof.plots.svg import render_inline_svg\n"
        "assert 'matplotlib' not in sys.modules\n"
        "render_inline_svg(draw_figure('T1-SPEED', {'latencies_ms': [1.0, 2.0]}))\n"
        "assert 'matplotlib.pyplot' not in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run(
        [sys.executable, "-c", program], check=True, env={"PYTHONPATH": ":".join(sys.path), "PATH": ""}
    )


def test_numbers_are_read_with_care():
    assert read_number(10**400) == math.inf
    assert read_number(-1e301) == -math.inf
    assert read_number(True) is None
    assert read_label("a" * 40).startswith("…")
