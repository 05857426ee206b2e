"""Say what stands at the positions of a map: tokens of the call, or patches of its image."""

from __future__ import annotations

from torch import Tensor

from tierproof.analysis.attention.attention_maps import PositionLabels
from tierproof.analysis.examples.token_text import list_pieces
from tierproof.model.call.call import Call
from tierproof.model.call.input_plan import BATCH, Argument
from tierproof.model.describe.subject import Subject

# A class token, a distillation token, registers: positions that stand before the patches.
_MOST_EXTRA = 5


class LabelBook:
    """Finds the sequence that a number of positions is, and collects those that were found.

    Args:
        subject: the model; the roles of its arguments tell tokens from images.
        call: that the maps are of.
        pieces: the text of each token of the primary argument; empty where there is no tokenizer.
        tokenizer: of the texts; None where there is none.
    """

    def __init__(
        self, subject: Subject, call: Call, pieces: tuple[str, ...] = (), tokenizer: object = None
    ) -> None:
        primary = subject.inputs.primary
        tokens = [
            argument
            for argument in subject.inputs.arguments
            if argument.role == "tokens" and argument.name in call.tensors
        ]
        self.sequences: list[PositionLabels] = []
        for argument in sorted(tokens, key=lambda each: each.name != primary):
            ids = _read_first_row(argument, call.tensors[argument.name])
            if ids is None:
                continue
            texts = pieces if argument.name == primary and len(pieces) == len(ids) else ()
            if not texts and tokenizer is not None:
                texts = list_pieces(tokenizer, ids)
            self.sequences.append(PositionLabels(argument.name, texts or tuple(map(str, ids))))
        self._images = [
            (argument.name, _find_size(call.tensors[argument.name]))
            for argument in subject.inputs.arguments
            if argument.role == "image" and argument.name in call.tensors
        ]

    def find(self, path: str, positions: int) -> int | None:
        """Which sequence has that many positions, for the module at `path`; None where none or several have."""
        alike = [at for at, each in enumerate(self.sequences) if each.length == positions]
        if len(alike) > 1:
            # The source comes first, the target after it; only the module's name tells which of the two it reads.
            parts = path.split(".")
            sides = [side for side in ("encoder", "decoder") if side in parts]
            return alike[0] if sides == ["encoder"] else None
        if alike:
            return alike[0]
        for name, size in self._images:
            grid = find_grid(size, positions)
            if grid is not None:
                self.sequences.append(PositionLabels(name, (), grid, positions - grid[0] * grid[1]))
                return len(self.sequences) - 1
        return None


def find_grid(size: tuple[int, int], positions: int) -> tuple[int, int] | None:
    """Rows and columns of equal patches that an image of this size has, with at most a few positions before them.

    Args:
        size: height and width of the image in pixels.
    """
    height, width = size
    for extra in range(_MOST_EXTRA + 1):
        patches = positions - extra
        for rows in range(2, patches + 1):
            if rows * rows * width > patches * height:
                break
            columns = rows * width // height
            whole = height % rows == 0 and rows * width == columns * height
            if whole and columns >= 2 and rows * columns == patches:
                return rows, columns
    return None


def _read_first_row(argument: Argument, tensor: Tensor) -> list[int] | None:
    if BATCH in argument.shape and len(argument.shape) == tensor.dim():
        tensor = tensor.select(argument.shape.index(BATCH), 0)
    return [int(each) for each in tensor.tolist()] if tensor.dim() == 1 else None


def _find_size(image: Tensor) -> tuple[int, int]:
    """Height and width: the last two axes, or those before the channels where these come last."""
    sizes = tuple(image.shape)
    if len(sizes) < 3:
        return (1, 1)
    last = sizes[-1] <= 4 < sizes[-2]
    return (sizes[-3], sizes[-2]) if last else (sizes[-2], sizes[-1])
