"""Each test attacks one way in which a model could leave a check other than it came."""
# ruff: noqa: PT012 - what is raised must be raised inside the context

from __future__ import annotations

import gc
import random
import sys
import threading
import weakref
from contextlib import suppress

import numpy as np
import pytest
import torch
from torch import nn

from sampled import sample
from tierproof.model.preserve import object_graph, tensor_state
from tierproof.model.preserve import preserve as preserve_module
from tierproof.model.preserve.preserve import preserve
from tierproof.model.preserve.restoration_error import RestorationError
from zoo.fingerprint import find_differences, fingerprint, process_fingerprint
from zoo.handwritten import HANDWRITTEN
from zoo.nasty import NASTY, Counting, References


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_a_nasty_model_leaves_as_it_came(name, full, error):
    model = NASTY[name]()
    before, process = fingerprint(model), process_fingerprint()
    with suppress(ValueError, KeyboardInterrupt), preserve(model) as snapshot:
        _abuse_once(model)
        if error is not None:
            raise error
        snapshot.restore(full=full)
        assert find_differences(before, fingerprint(model)) == {}
        assert find_differences(process, process_fingerprint()) == {}
        _abuse_once(model)
    assert find_differences(process, process_fingerprint()) == {}
    assert find_differences(before, fingerprint(model)) == {}
    assert snapshot.lost == ()
    assert snapshot.skipped == ()


def _abuse_once(model):
    x = torch.randn(2, 4, requires_grad=True)
    y = model(x)
    with torch.set_grad_enabled(True):
        if y.requires_grad and y.is_floating_point():
            y.sum().backward()


def test_abuse_does_change_the_nasty_models():
    for name, build in NASTY.items():
        model = build()
        before = fingerprint(model)
        with preserve(model):
            _abuse_once(model)
            assert find_differences(before, fingerprint(model)), name


@pytest.mark.parametrize("name", sample(list(HANDWRITTEN), 4))
def test_a_training_step_on_a_healthy_model_is_undone(name):
    model = HANDWRITTEN[name][0]()
    before = fingerprint(model)
    with preserve(model):
        optimizer = torch.optim.AdamW(model.parameters())
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()
        model.eval()
        model.half()
        model.requires_grad_(False)
    assert find_differences(before, fingerprint(model)) == {}


def test_a_graph_built_before_can_still_be_used():
    model = nn.Linear(4, 4)
    loss = model(torch.ones(2, 4)).pow(2).sum()
    with preserve(model), torch.no_grad():
        model.weight.add_(1)
    loss.backward()
    assert model.weight.grad is not None


def test_a_large_tensor_is_found_by_its_version_without_a_full_comparison(monkeypatch):
    monkeypatch.setattr(tensor_state, "ALWAYS_COMPARED_BYTES", 8)
    monkeypatch.setattr(preserve_module, "_ALWAYS_COMPARED_TOTAL_BYTES", 8)
    model = nn.Linear(8, 8)
    before = model.weight.detach().clone()
    with preserve(model) as snapshot:
        with torch.no_grad():
            model.weight.add_(1)
        snapshot.restore(full=False)
        assert torch.equal(model.weight, before)
        model.weight.data.add_(1)  # seen by no version counter
        snapshot.restore(full=False)
        assert not torch.equal(model.weight, before)
    assert torch.equal(model.weight, before)


def test_a_storage_that_was_emptied_is_filled_again():
    model = nn.Linear(8, 8)
    before = model.weight.detach().clone()
    with preserve(model):
        model.weight.untyped_storage().resize_(0)
    assert torch.equal(model.weight, before)


def test_values_are_compared_in_chunks(monkeypatch):
    monkeypatch.setattr(tensor_state, "_CHUNK_BYTES", 64)
    model = nn.Linear(100, 3)
    before = fingerprint(model)
    with preserve(model):
        model.weight.data[1, 50] = float("nan")
        model.bias.data.neg_()
    assert find_differences(before, fingerprint(model)) == {}


def test_a_view_of_a_large_storage_is_not_copied_whole():
    whole = torch.zeros(1 << 20)
    model = nn.Module()
    model.register_buffer("part", whole[100:200])
    with preserve(model) as snapshot:
        assert snapshot._original.storages[0].size_bytes <= 416
        model.part.fill_(3)
        whole[0] = 9
    assert whole[0] == 9
    assert not whole[100:200].any()


def test_an_overlapping_view_that_grew_a_history_is_a_leaf_again():
    model = nn.Linear(4, 4)
    model.register_buffer("cache", torch.zeros(4, 4))
    model.window = model.cache[:2]
    model.window.note = "kept"
    before = fingerprint(model)
    with preserve(model) as snapshot:
        model.window.copy_(model(torch.ones(2, 4)))
        assert not model.cache.is_leaf
    assert snapshot.lost == ()
    assert model.cache.is_leaf
    assert model.window.is_leaf
    assert model.window.note == "kept"
    model.cache.fill_(5)
    assert model.window.eq(5).all()
    model.cache.zero_()
    changed = {name for name in find_differences(before, fingerprint(model)) if "_version" not in name}
    assert {name.split("#")[0] for name in changed} <= {"model.window", "model._buffers['cache']"}


def test_a_non_leaf_changed_in_place_is_reported_as_lost():
    model = nn.Linear(4, 4)
    model.memory = model.weight * 2
    values = model.memory.detach().clone()
    with preserve(model) as snapshot:
        model.memory.mul_(3)
    assert torch.equal(model.memory, values)
    assert "memory" in snapshot.lost[0]


def test_a_large_unregistered_tensor_is_skipped_and_said(monkeypatch):
    monkeypatch.setattr(preserve_module, "_SPARE_BYTES", 100)
    model = nn.Linear(2, 2)
    model.history = torch.zeros(1000)
    with preserve(model) as snapshot:
        assert snapshot.skipped == ("history: an unregistered tensor of 4000 bytes",)


def test_limits_on_size_are_said(monkeypatch):
    monkeypatch.setattr(object_graph, "MAX_CONTAINER_ITEMS", 10)
    model = nn.Linear(2, 2)
    model.long = list(range(11))
    with preserve(model) as snapshot:
        assert snapshot.skipped == ("long: a container of 11 items",)
    monkeypatch.setattr(object_graph, "MAX_OBJECTS", 5)
    with preserve(model) as snapshot:
        assert "more than 5 objects" in snapshot.skipped[0]


def test_opaque_things_are_left_alone():
    model = nn.Linear(2, 2)
    model.lock, model.event = threading.Lock(), threading.Event()
    model.lines = (i for i in range(3))
    model.file = sys.stderr
    with preserve(model):
        model.lock.acquire()
        model.event.set()
        next(model.lines)
    assert model.lock.locked()
    assert model.event.is_set()
    assert next(model.lines) == 1


def test_what_cannot_be_put_back_is_an_error_that_names_it_and_all_else_is_put_back():
    class Stubborn(random.Random):
        def setstate(self, state):
            raise RuntimeError("no")

    model = nn.Linear(2, 2)
    model.random = Stubborn(1)
    model.steps = 0
    with pytest.raises(RestorationError, match="no"), preserve(model):
        model.steps = 5
    assert model.steps == 0


def test_nothing_is_kept_alive_afterwards():
    model = Counting()
    with preserve(model) as snapshot:
        model(torch.zeros(2, 4))
        model.extra = torch.zeros(100)
    watch = weakref.ref(model)
    del model, snapshot
    gc.collect()
    assert watch() is None


def test_tensors_made_under_inference_mode():
    with torch.inference_mode():
        model = nn.Linear(3, 3)
    before = fingerprint(model)
    with preserve(model), torch.inference_mode():
        model.weight.add_(1)
    assert find_differences(before, fingerprint(model)) == {}


def test_quantized_and_nested_and_mkldnn_tensors():
    model = nn.Module()
    model.quantized = torch.quantize_per_tensor(torch.arange(4.0), 0.1, 0, torch.qint8)
    model.ragged = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
    model.blocked = torch.ones(2, 2).to_mkldnn()
    with preserve(model):
        model.quantized.copy_(torch.zeros(4))
        model.ragged.mul_(2)
        model.blocked.add_(model.blocked)
    assert torch.equal(model.quantized.int_repr(), torch.tensor([0, 10, 20, 30], dtype=torch.int8))
    assert torch.equal(model.ragged.unbind()[1], torch.ones(3))
    assert torch.equal(model.blocked.to_dense(), torch.ones(2, 2))


def test_gradients_by_identity_and_value():
    model = nn.Linear(3, 3)
    model.weight.grad = torch.full((3, 3), 2.0)
    kept = model.weight.grad
    with preserve(model) as snapshot:
        model(torch.ones(1, 3)).sum().backward()  # accumulates in place
        snapshot.restore(full=False)
        assert model.weight.grad is kept
        assert kept.eq(2).all()
        assert model.bias.grad is None
        model.zero_grad(set_to_none=True)
    assert model.weight.grad is kept


def test_a_class_is_put_back_past_a_setattr_that_refuses():
    class Frozen:
        def __init__(self):
            object.__setattr__(self, "value", [1])

        def __setattr__(self, name, value):
            raise AttributeError("frozen")

    model = nn.Linear(2, 2)
    model.config = Frozen()
    with preserve(model):
        object.__setattr__(model.config, "value", None)
        model.forward = lambda x: x
        nn.Module.__setattr__(model, "__class__", nn.Bilinear)
    assert model.config.value == [1]
    assert type(model) is nn.Linear
    assert "forward" not in vars(model)


def test_an_attribute_dict_that_was_replaced_is_the_same_again():
    model = References()
    attributes = model.plain.__dict__
    with preserve(model):
        model.plain.__dict__ = {"value": 9}
        model.child._parameters = {}
    assert model.plain.__dict__ is attributes
    assert list(model.child._parameters) == ["weight", "bias"]


def test_an_unbound_closure_variable():
    def build():
        if False:
            late = 1

        def hook(*_):
            nonlocal late
            late = 2

        return hook

    model = nn.Identity()
    model.hook = build()
    with preserve(model):
        model.hook()
    with pytest.raises(ValueError, match="empty"):
        _ = model.hook.__closure__[0].cell_contents


def test_arrays_that_changed_shape_or_flags():
    model = nn.Identity()
    model.array = np.arange(6.0)
    model.fixed = np.arange(2)
    model.fixed.flags.writeable = False
    model.legacy = np.random.RandomState(0)
    state = model.legacy.get_state()[1].copy()
    with preserve(model):
        model.array.shape = (2, 3)
        model.array.flags.writeable = False
        model.legacy.rand()
    assert model.array.shape == (6,)
    assert np.array_equal(model.legacy.get_state()[1], state)


def test_a_setting_that_cannot_be_written_is_named(monkeypatch):
    def refuse(_):
        raise RuntimeError("not today")

    model = nn.Linear(2, 2)
    with pytest.raises(RestorationError, match=r"threads.*not today"), preserve(model) as snapshot:
        settings = snapshot._process._settings
        index = [s.name for s in settings].index("threads")
        object.__setattr__(settings[index], "write", refuse)
        object.__setattr__(settings[index], "value", 99)


def test_module_wide_hooks_are_removed():
    model = nn.Linear(2, 2)
    with preserve(model):
        nn.modules.module.register_module_forward_hook(lambda *_: None)
    assert not nn.modules.module._global_forward_hooks


def test_note_change_changes_what_is_returned_to_between_checks():
    model = nn.Linear(2, 2)
    model.register_buffer("table", torch.zeros(2))
    before = fingerprint(model)
    with preserve(model) as snapshot:
        model.to(torch.float64)
        snapshot.note_change()
        moved = fingerprint(model)
        with torch.no_grad():
            model.weight.add_(1)
        snapshot.restore(full=False)
        assert find_differences(moved, fingerprint(model)) == {}
    assert find_differences(before, fingerprint(model)) == {}
