"""The folder that outlives a kernel: what was chosen, the last report, weights, and what was exported."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tierproof.core.atomic_write import write_bytes_atomically, write_text_atomically
from tierproof.core.json_value import JsonValue
from tierproof.core.report import Report
from tierproof.errors import OutputError

if TYPE_CHECKING:
    from torch import nn

FORMAT_VERSION = 1
_NAME = "tierproof-results"
_MOST_WEIGHT_BYTES = 1 << 30
_SAFE_UNPICKLING = (2, 6)  # CVE-2025-32434: before torch 2.6 weights_only=True could be tricked


@dataclass(frozen=True, slots=True)
class ResultsFolder:
    """Files of one notebook, each written whole or not at all."""

    path: Path

    @classmethod
    def find(cls) -> ResultsFolder:
        """`$TIERPROOF_RESULTS`, or a folder beside the notebook."""
        return cls(Path(os.environ.get("TIERPROOF_RESULTS") or _NAME).absolute())

    @property
    def report_file(self) -> Path:
        """The last report, as JSON."""
        return self.path / "report.json"

    @property
    def weights_file(self) -> Path:
        """The weights that were checked."""
        return self.path / "weights.pt"

    @property
    def packages_folder(self) -> Path:
        """The lock and the archive of what was added."""
        return self.path / "packages"

    @property
    def _state_file(self) -> Path:
        return self.path / "session.json"

    def make(self) -> None:
        """Make the folder.

        Raises:
            OutputError: it cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"cannot create {self.path}: {error.strerror or error}",
                hint="Set the variable TIERPROOF_RESULTS to a folder that you may write to.",
            ) from error

    def write_state(self, state: Mapping[str, JsonValue]) -> None:
        """Write what a restarted kernel has to know.

        Raises:
            OutputError: the folder is not writable.
        """
        self.make()
        document = {"format_version": FORMAT_VERSION, **state}
        write_text_atomically(self._state_file, json.dumps(document, indent=2))

    def read_state(self) -> dict[str, JsonValue]:
        """Read it; empty where there is none, or one of another format."""
        document = _read_json(self._state_file)
        return document if document.get("format_version") == FORMAT_VERSION else {}

    def write_report(self, report: Report) -> None:
        """Keep the report for after a restart.

        Raises:
            OutputError: the folder is not writable.
        """
        self.make()
        report.save(self.report_file)

    def read_report(self) -> Report | None:
        """Read the last report; None where there is none that can be read."""
        try:
            return Report.from_dict(_read_json(self.report_file))
        except (KeyError, ValueError, AssertionError, TypeError):
            return None

    def write_weights(self, model: nn.Module) -> str:
        """Keep the weights; gives why not, or nothing.

        Raises:
            OutputError: the folder is not writable.
        """
        import torch

        state = {name: value for name, value in model.state_dict().items() if isinstance(value, torch.Tensor)}
        size = sum(value.numel() * value.element_size() for value in state.values())
        if size > _MOST_WEIGHT_BYTES:
            self.weights_file.unlink(missing_ok=True)
            return f"its weights ({size / 1e9:.1f} GB) are too large to be kept here"
        stream = io.BytesIO()
        torch.save(state, stream)
        self.make()
        write_bytes_atomically(self.weights_file, stream.getvalue())
        return ""

    def load_weights(self, model: nn.Module) -> str:
        """Put the kept weights into `model`; gives why not, or nothing. No code in the file is run."""
        import pickle

        import torch

        if not self.weights_file.is_file():
            return "none were kept"
        if tuple(map(int, torch.__version__.split(".")[:2])) < _SAFE_UNPICKLING:
            return "a torch before 2.6 cannot read them safely"
        try:
            state = torch.load(self.weights_file, map_location="cpu", weights_only=True)
            model.load_state_dict(state)
        except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, AttributeError) as error:
            return str(error).partition("\n")[0]
        return ""


def _read_json(path: Path) -> dict[str, JsonValue]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
