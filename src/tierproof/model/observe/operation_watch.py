"""Look at each operation of a forward pass, and change none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch.overrides import TorchFunctionMode


class OperationWatch(TorchFunctionMode):
    """While active, shows every function that is called on tensors to `before` and `after`."""

    def __torch_function__(
        self,
        func: Any,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run the operation unchanged."""
        kwargs = kwargs or {}
        name = str(getattr(func, "__name__", ""))
        self.before(name, args, kwargs)
        result = func(*args, **kwargs)
        self.after(name, args, kwargs, result)
        return result

    def before(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Look at the operands while an operation in place has not changed them."""

    def after(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
        """Look at the operands and the result."""
