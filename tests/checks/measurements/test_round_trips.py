"""Every typed measurement reads back what it wrote, and gives the document that the contract's readers know."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tierproof.checks.measurements.gradient_norms import GradientNorms, ModuleGradient
from tierproof.checks.measurements.latencies import Latencies
from tierproof.checks.measurements.memory_use import ForecastCell, MemoryUse
from tierproof.checks.measurements.position_influence import PositionInfluence
from tierproof.checks.measurements.shape_sweep import ShapeSweep, SweptCase
from tierproof.checks.measurements.weight_scales import LayerScale, WeightScales

MEASURED = {
    "shape": ShapeSweep((SweptCase(2, 16, "passed"), SweptCase(1, None, "raised")), 0.1, 64, "config"),
    "gradients": GradientNorms((ModuleGradient("h.0", 1.5, 12),), {"objective": "cross entropy"}),
    "weights": WeightScales((LayerScale("h.0", "linear", 0.02, 0.02),), {"looks_trained": False}),
    "memory": MemoryUse({"parameters": 8.0, "activations": 3.0}, (ForecastCell(1, 8, 3.0, 11.0),)),
    "latencies": Latencies((1.0, 2.0), 1.5, 1.9, 2.0, 0.3),
    "influence": PositionInfluence(((1.0, 0.0), (1.0, 1.0)), {"positions_tried": 2}),
}


@pytest.mark.parametrize("measured", MEASURED.values(), ids=MEASURED)
def test_what_is_written_is_read_back(measured):
    document = json.loads(json.dumps(measured.to_dict(), allow_nan=False))
    assert type(measured).from_document(document) == measured


@pytest.mark.parametrize("kind", [type(item) for item in MEASURED.values()])
@pytest.mark.parametrize("document", [{}, {"cases": 3, "modules": "x", "layers": None, "forecast": [1]}])
def test_a_document_that_lacks_everything_is_read_as_empty(kind, document):
    kind.from_document(document)


def test_they_are_read_without_torch():
    code = (
        "import sys\n"
        "import tierproof.plots.registry\n"
        "import tierproof.checks.tiers\n"
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
