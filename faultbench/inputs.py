"""The stated inputs of each host: what equivalence is judged on, and what the peers are given."""

from __future__ import annotations

import torch
from torch import Tensor

_VOCABULARY = {"gpt": 61, "llama": 67, "encoder": 59, "seq2seq": 53, "mamba": 57, "moe": 63}
# (rows, positions): one row, odd sizes, and nearly all that the shortest table holds.
SIZES = ((1, 5), (3, 12), (2, 31))


def make_inputs(host: str, rows: int, positions: int, seed: int = 0) -> dict[str, Tensor]:
    """Keyword arguments for one forward; equal arguments give equal tensors."""
    generator = torch.Generator().manual_seed(seed)
    if host == "vit":
        return {"pixel_values": torch.randn(rows, 3, 24, 24, generator=generator)}
    size = (rows, positions)
    tokens = torch.randint(3, _VOCABULARY[host], size, generator=generator)
    inputs = {"input_ids": tokens}
    if host in ("llama", "encoder", "seq2seq"):
        mask = torch.ones(size, dtype=torch.long)
        mask[-1, positions - 2 :] = 0
        inputs["attention_mask"] = mask
    if host == "encoder":
        inputs["token_type_ids"] = (torch.arange(positions) > positions // 2).long().expand(rows, -1).clone()
    if host == "seq2seq":
        inputs["decoder_input_ids"] = torch.randint(
            3, _VOCABULARY[host], (rows, positions - 1), generator=generator
        )
    if host in ("gpt", "llama"):
        inputs["labels"] = tokens.clone()
    return inputs


def read_outputs(output: object) -> list[Tensor]:
    """The tensors of a host's output in order, caches included."""
    if isinstance(output, Tensor):
        return [output]
    if isinstance(output, dict):
        return [tensor for value in output.values() for tensor in read_outputs(value)]
    if isinstance(output, list | tuple):
        return [tensor for value in output for tensor in read_outputs(value)]
    return []


def compute_loss(output: object) -> Tensor:
    """A scalar that every output moves: the mean square of all of them."""
    return torch.stack(
        [t.float().square().mean() for t in read_outputs(output) if t.is_floating_point()]
    ).sum()
