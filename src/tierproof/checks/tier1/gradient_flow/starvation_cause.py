"""Why a module that took part in the forward got no gradient."""

from __future__ import annotations

from enum import Enum, auto


class StarvationCause(Enum):
    """What moving a starved module's parameters showed; each member is one outcome."""

    CUT = auto()
    """The outputs change smoothly with the parameters: the graph is cut."""
    ZEROED = auto()
    """Zeros arrive and no value of the parameters changes an output: the module is multiplied by zero."""
    DEAD = auto()
    """Zeros arrive, and only a large change of the parameters changes an output: a saturated or dead activation."""
    UNUSED = auto()
    """The forward computes with the parameters, but no output depends on the result."""
    AWAITS_ZEROS = auto()
    """The module is multiplied by parameters that are exactly zero, and gets its gradient once they have changed."""
    CHOSEN = auto()
    """Only a hard choice depends on the parameters, or the choice left the module out."""
    LONE_KEY = auto()
    """Only a softmax over a single key depends on the parameters, and its output is always 1."""
    PADDING = auto()
    """An embedding is read at its `padding_idx` alone, which gets no gradient by request."""
    EMPTY = auto()
    """No position of this input goes through the module."""
    NOT_PROBED = auto()
    """The module was not examined: others of the same model were judged first."""
