"""State that PyTorch does not know of, and ties that are lost."""

from __future__ import annotations

import torch
from torch import nn

from faults.attention import char_gpt
from zoo.handwritten import CharGPT, NanoGPT


def blocks_in_a_list():
    class Listed(CharGPT):
        def __init__(self):
            super().__init__(dropout=0.0)
            blocks = list(self.blocks)
            del self.blocks
            self.blocks = blocks

    torch.manual_seed(0)
    return Listed()


class Gain(nn.Module):
    """Scales by something that it keeps in a way of its own."""

    def __init__(self, keep):
        super().__init__()
        keep(self)

    def forward(self, x):
        return x * self.read()


def with_gain(keep):
    def build():
        model = char_gpt()
        model.blocks[1].mlp.append(Gain(keep))
        return model

    return build


def keep_parameter_in_dict(gain):
    gain.extras = {"gain": nn.Parameter(torch.rand(32))}
    gain.read = lambda: gain.extras["gain"]


def keep_plain_tensor(gain):
    gain.gain = torch.rand(32)
    gain.read = lambda: gain.gain


def keep_nested_modules(gain):
    gain.store = {"deep": [(nn.Linear(1, 32),)]}
    gain.read = lambda: gain.store["deep"][0][0](torch.ones(1))


def keep_frozen_teacher(gain):
    gain.teacher = [nn.Linear(1, 32).requires_grad_(False)]
    gain.read = lambda: gain.teacher[0](torch.ones(1))


def lost_tie():
    torch.manual_seed(0)
    model = NanoGPT()
    model.head.weight = nn.Parameter(model.token.weight.detach().clone())
    return model


def lost_declared_tie():
    from zoo.pretrained_configs import gpt2

    model = gpt2()
    model.lm_head.weight = nn.Parameter(model.lm_head.weight.detach().clone())
    return model


def dropped_parameter():
    class Dropping(CharGPT):
        def state_dict(self, *args, **kwargs):
            state = super().state_dict(*args, **kwargs)
            state.pop("norm.weight", None)
            return state

    torch.manual_seed(0)
    return Dropping()


def cannot_load_itself():
    model = char_gpt()
    model._register_state_dict_hook(lambda _m, state, _p, _l: state.update({"stray": torch.zeros(1)}))
    return model


def tie_broken_by_loading():
    class Replacing(NanoGPT):
        def load_state_dict(self, state, strict=True, assign=False):
            result = super().load_state_dict(state, strict=strict)
            self.head.weight = nn.Parameter(self.head.weight.detach().clone())
            return result

    torch.manual_seed(0)
    return Replacing()


def state_outside_the_config():
    from transformers import GPT2LMHeadModel

    from zoo.pretrained_configs import gpt2

    class Shifted(GPT2LMHeadModel):
        def __init__(self, config):
            super().__init__(config)
            self.secret = float(torch.rand(()))

        def forward(self, *args, **kwargs):
            output = super().forward(*args, **kwargs)
            output.logits = output.logits * (1 + self.secret)
            return output

    torch.manual_seed(0)
    return Shifted(gpt2().config)


REGISTRATION = {
    "blocks_in_a_list": (blocks_in_a_list, "T1-REG-001", {""}, "error"),
    "nested_modules": (with_gain(keep_nested_modules), "T1-REG-001", {"blocks.1.mlp.4"}, "error"),
    "frozen_teacher": (with_gain(keep_frozen_teacher), "T1-REG-001", {"blocks.1.mlp.4"}, "warning"),
    "parameter_in_dict": (with_gain(keep_parameter_in_dict), "T1-REG-002", {"blocks.1.mlp.4"}, "error"),
    "plain_tensor": (with_gain(keep_plain_tensor), "T1-REG-003", {"blocks.1.mlp.4"}, "warning"),
    "dropped_parameter": (dropped_parameter, "T1-REG-004", {"norm"}, "error"),
    "cannot_load_itself": (cannot_load_itself, "T1-REG-005", {""}, "error"),
    "tie_broken_by_loading": (tie_broken_by_loading, "T1-REG-006", {"token", "head"}, "error"),
    "lost_tie": (lost_tie, "T1-REG-007", {"head"}, "warning"),
    "lost_declared_tie": (lost_declared_tie, "T1-REG-007", {"lm_head"}, "error"),
    "state_outside_the_config": (state_outside_the_config, "T1-REG-010", {""}, "error"),
}
