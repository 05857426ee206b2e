"""Say what stands at the positions of a map: tokens of the call, or patches of its image."""

from __future__ import annotations

from torch import Tensor

from tierproof.analysis.attention.attention_maps import PositionLabels
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
        pieces: the text of each token of the primary argument; empty where there is no tokenizer. Tokens of other
            arguments are random draws: their ids are shown.
    """

    def __init__(self, subject: Subject, call: Call, pieces: tuple[str, ...] = ()) -> None:
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
            self.sequences.append(PositionLabels(argument.name, texts or tuple(f"#{each}" for each in ids)))
        self._images = [
            (argument.name, _find_size(call.tensors[argument.name]))
            for argument in subject.inputs.arguments
            if argument.role == "image" and argument.name in call.tensors
        ]

    def find_pair(self, path: str, queries: int, keys: int, *, causal: bool) -> tuple[int | None, int | None]:
        """Which sequences the queries and the keys of the module at `path` are; None where that is not known.

        Args:
            causal: whether no query sees a later key. Where source and target are equally long, a causal decoder
                looks at itself, another at the source.
        """
        parts = path.split(".")
        sides = [side for side in ("encoder", "decoder") if side in parts]
        side = sides[0] if len(sides) == 1 else ""
        return (
            self._find(queries, {"encoder": 0, "decoder": 1}.get(side)),
            self._find(keys, {"encoder": 0, "decoder": int(causal)}.get(side)),
        )

    def _find(self, positions: int, place: int | None) -> int | None:
        """The sequence of that length; of several the one at `place`, the source coming first."""
        alike = [at for at, each in enumerate(self.sequences) if each.length == positions]
        if len(alike) > 1:
            known = place is not None and len(alike) == 2 and positions > 1
            return alike[place or 0] if known else None
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
