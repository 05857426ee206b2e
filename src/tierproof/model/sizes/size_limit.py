"""Give up building a module as soon as it takes more memory than it may."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# Tables are made in a few steps (a triangle out of ones), and a small module has a small fixed part.
_SLACK = 3
_FIXED_BYTES = 8 << 20


class TooLargeError(Exception):
    """What is built takes more memory than it may."""


class SizeLimit(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Inside the `with`, tensors made from nothing may take `most_bytes` together; what goes beyond raises.

    A tensor is looked at before it is filled, so the memory of the one that is too large is never touched.

    Raises:
        TooLargeError: at the first tensor beyond the limit.
    """

    def __init__(self, most_bytes: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._left = most_bytes

    @classmethod
    def for_another(cls, model: nn.Module) -> Self:
        """A limit within which an instance like `model` can be built."""
        held = sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers()))
        return cls(_SLACK * held + _FIXED_BYTES)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Say that nothing here must be hidden from a compiler: the wrapper that hides it imports one."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run the operation, and count what it made."""
        result = func(*args, **(kwargs or {}))
        if not any(isinstance(value, Tensor) for value in tree_leaves((args, kwargs))):
            self._left -= sum(value.nbytes for value in tree_leaves(result) if isinstance(value, Tensor))
            if self._left < 0:
                raise TooLargeError("the new instance takes more memory than the model")
        return result
