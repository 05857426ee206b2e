"""The healthy zoo: every model that must get no error, in an order that never changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

# A selection over all families that runs in the normal suite, and at fifty seeds.
FIRST = (
    "char_gpt", "hf-llama", "hf-bert", "nn-transformer", "hf-vit", "hf-t5", "hf-wav2vec2", "hf-llava", "seq2seq",
    "hf-patchtst", "mamba_like", "hf-gpt2", "tiny_vit", "nn-encoder", "hf-whisper", "experts", "hf-roberta", "res_net",
    "hf-mixtral", "t5_like", "nn-gru", "hf-mamba", "bert_like", "hf-resnet", "hf-bart", "lora_llama", "hf-clip",
    "swin_like", "many_outputs", "own_backward",
)  # fmt: skip


@dataclass(frozen=True)
class ZooModel:
    """One healthy model.

    Attributes:
        name: unique; `hf-` stands before a model type of transformers, `nn-` before what torch.nn has.
        family: causal-lm, encoder, encoder-decoder, vision, audio, multimodal, time series, hand-written, torch.nn.
        build: makes it, tiny and randomly initialised, from a seed.
        draw_inputs: what is passed as `inputs=` to its check, of a seed; None where the checks find inputs themselves.
    """

    name: str
    family: str
    build: Callable[[int], nn.Module]
    draw_inputs: Callable[[int], dict[str, Tensor]] | None = None


def list_zoo() -> tuple[ZooModel, ...]:
    """All models; the first thirty are of every family."""
    from zoo import torch_models, transformers_zoo
    from zoo.decoders import DECODERS
    from zoo.encoders import ENCODERS
    from zoo.handwritten import HANDWRITTEN
    from zoo.images import IMAGES
    from zoo.recurrent import RECURRENT
    from zoo.several_inputs import SEVERAL_INPUTS

    written = {**HANDWRITTEN, **DECODERS, **ENCODERS, **RECURRENT, **IMAGES, **SEVERAL_INPUTS}
    models = [
        ZooModel(name, "hand-written", partial(_build, chosen)) for name, (chosen, _) in written.items()
    ]
    models += [
        ZooModel(f"nn-{name}", "torch.nn", partial(_build, make))
        for name, make in torch_models.TORCH_MODELS.items()
    ]
    models += [
        ZooModel(f"hf-{kind}", family, partial(transformers_zoo.build, kind, table))
        for kind, family, table in transformers_zoo.list_types()
    ]
    order = {name: place for place, name in enumerate(FIRST)}
    return tuple(sorted(models, key=lambda model: order.get(model.name, len(order))))


def _build(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return make()
