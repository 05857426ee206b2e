"""Work out what the axes of an output mean, by calling the model at two sizes."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from tierproof.model.call.outputs import OutputPlan, choose_main_path


def plan_outputs(
    first: Mapping[str, Tensor],
    second: Mapping[str, Tensor],
    first_sizes: Mapping[str, int],
    second_sizes: Mapping[str, int],
    vocab_size: int | None,
    *,
    only_length: int | None = None,
) -> OutputPlan | None:
    """Choose the answer among the outputs and name its axes, from two calls of different sizes.

    An axis that follows the batch, length or target length in both calls gets that name; an axis of the same size
    in both calls is that number; any other axis is "?". A tensor in which the batch appears twice (a similarity
    matrix) is chosen as the answer only if there is no other.

    Args:
        only_length: of a model that runs at one length; the first axis behind the batch that has it is the length's.

    Returns:
        The plan, or None when the output contains no floating-point tensor.
    """
    axes = {
        path: _name_length(_name_axes(tensor, second[path], first_sizes, second_sizes), only_length)
        for path, tensor in first.items()
        if path in second and tensor.dim() == second[path].dim()
    }
    candidates = {path: first[path] for path, names in axes.items() if names.count("batch") <= 1}
    main = choose_main_path(candidates)
    if main is None or first[main].dim() == 0:
        main = choose_main_path({path: first[path] for path in axes})
    if main is None:
        return None
    names = axes[main]
    loss = next((path for path, t in first.items() if t.dim() == 0 and t.is_floating_point()), None)
    if names and isinstance(names[-1], int) and _is_logits(main, names[-1], vocab_size):
        role = "logits"
    elif {"length", "target_length"} & set(names):
        role = "hidden"
    else:
        role = "pooled"
    return OutputPlan(main=main, axes=names, role=role, loss=loss)


def _name_length(names: tuple[str | int, ...], length: int | None) -> tuple[str | int, ...]:
    if length is None or len(names) < 3 or "batch" not in names or length not in names:
        return names
    place = names.index(length)
    return (*names[:place], "length", *names[place + 1 :])


def _is_logits(path: str, width: int, vocab_size: int | None) -> bool:
    return path.endswith("logits") or (vocab_size is not None and width == vocab_size)


def _name_axes(
    first: Tensor, second: Tensor, first_sizes: Mapping[str, int], second_sizes: Mapping[str, int]
) -> tuple[str | int, ...]:
    names: list[str | int] = []
    for size, other in zip(first.shape, second.shape, strict=True):
        if size == other:
            names.append(size)
            continue
        named = [name for name in first_sizes if (first_sizes[name], second_sizes[name]) == (size, other)]
        names.append(named[0] if named else "?")
    return tuple(names)
