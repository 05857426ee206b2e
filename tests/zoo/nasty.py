"""Models whose forward pass changes everything within its reach. Each takes a (2, 4) float batch."""

from __future__ import annotations

import functools
import random
import threading
import weakref
from collections import OrderedDict, defaultdict, deque

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parametrize


class Counting(nn.Module):
    calls = 0
    history: list[int] = []  # noqa: RUF012 - a shared class attribute is the point

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.steps = 0
        self.stats = {"seen": [], "nested": {"deep": [1, {2, 3}]}}
        self.recent = deque([1.0, 2.0], maxlen=3)
        self.ordered = OrderedDict(a=1, b=2)
        self.missing = defaultdict(list, {"a": [1]})
        self.raw = bytearray(b"abc")
        self.pair = ([1], {"x": 1})

    def forward(self, x):
        type(self).calls += 1
        Counting.history.append(Counting.calls)
        Counting.added_attribute = 3
        self.steps += 1
        self.stats["seen"].append(float(x.sum()))
        self.stats["nested"]["deep"][1].add(self.steps)
        self.stats[f"step {self.steps}"] = x
        self.recent.append(float(x.mean()))
        self.ordered.move_to_end("a")
        self.missing["new"].append(1)
        self.raw[0] = 0
        self.raw.extend(b"z")
        self.pair[0].append(2)
        self.pair[1].clear()
        self.late = x
        return self.linear(x)


class Tensors(nn.Module):
    """Unregistered, non-leaf, shared, sparse, half, complex and meta tensors, and arrays."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.register_buffer("whole", torch.arange(12.0))
        self.register_buffer("view", self.whole[4:8])
        self.register_buffer("flags", torch.tensor([True, False, True]))
        self.register_buffer("brief", torch.ones(3, dtype=torch.bfloat16))
        self.register_buffer("bytes8", torch.ones(5, dtype=torch.int8))
        self.register_buffer("wave", torch.ones(2, dtype=torch.complex64))
        self.register_buffer("nothing", torch.empty(3, device="meta"))
        self.register_buffer("bad", torch.tensor([float("nan"), -0.0, float("inf")]))
        self.register_buffer("table", torch.eye(3).to_sparse())
        self.register_buffer("rows", torch.eye(3).to_sparse_csr())
        self.register_buffer("history", torch.zeros(2, 4))
        self.loose = [torch.zeros(2), {"deep": torch.ones(3)}]
        self.nonleaf = self.linear.weight * 2
        self.array = np.array([-0.0, 1.0, float("nan")])
        self.objects = np.array([[1], "a"], dtype=object)
        self.linear.weight.grad = torch.full((4, 4), 0.5)
        self.linear.weight.tag = ["kept"]

    def forward(self, x):
        with torch.no_grad():
            self.view.add_(1)
            self.flags.logical_not_()
            self.brief.mul_(2)
            self.bytes8.add_(1)
            self.wave.mul_(1j)
            self.bad.zero_()
            self.table.mul_(2)
            self.rows.values().mul_(3)
            self.linear.weight.add_(1)
            self.linear.bias.data.fill_(7)
        self.history[:] = self.linear(x)  # in place: the buffer grows a history
        self.loose[0].add_(1)
        self.loose[1]["deep"] = torch.zeros(3)
        self.nonleaf = self.nonleaf + 1
        self.array[0] = 0.0
        self.objects[0].append(2)
        self.linear.weight.tag.append("more")
        return self.linear(x)


class Slotted:
    __slots__ = ("count", "later")

    def __init__(self):
        self.count = 0


class Plain:
    def __init__(self):
        self.value = 1
        self.slots = Slotted()
        self.lock = threading.Lock()
        self.stream = iter(range(10))


class References(nn.Module):
    """Cycles, shared objects, closures, partials, generators, weak references."""

    def __init__(self):
        super().__init__()
        self.child = nn.Linear(4, 4)
        self.child.parent = [self]
        object.__setattr__(self.child, "owner", self)
        self.plain = Plain()
        self.child.shared = self.plain
        self.generator = torch.Generator().manual_seed(3)
        self.python = random.Random(3)
        self.numpy = np.random.default_rng(3)
        self.weak = weakref.WeakKeyDictionary({self.child: 1})
        self.partial = functools.partial(_collect, [], extra={})
        count, log = 0, []

        def hook(module, args, output):
            nonlocal count
            count += 1
            log.append(count)
            if count == 1:
                module.register_forward_pre_hook(lambda m, a: None)

        self.child.register_forward_hook(hook)
        self.method = self.note
        self.notes = []

    def note(self):
        self.notes.append(1)

    def forward(self, x):
        self.plain.value += 1
        self.plain.slots.count += 1
        self.plain.slots.later = [1]
        torch.rand(2, generator=self.generator)
        self.python.random()
        self.numpy.random()
        self.partial(1)
        self.method()
        self.child.owner = None
        return self.child(x)


def _collect(log, value, extra):
    log.append(value)
    extra[value] = value


class Restless(nn.Module):
    """Changes the process, the modes, and its own parts."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 4)
        self.drop = nn.Dropout(0.5).eval()
        self.norm = nn.BatchNorm1d(4)
        self.tied = nn.Linear(4, 4)
        self.tied.weight = self.first.weight

    def forward(self, x):
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("meta")
        torch.manual_seed(0)
        np.random.seed(0)
        random.seed(0)
        torch.set_num_threads(torch.get_num_threads() + 1)
        torch.set_grad_enabled(not torch.is_grad_enabled())
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = True
        torch.backends.mkldnn.enabled = False
        torch.backends.cuda.enable_math_sdp(False)
        torch.set_float32_matmul_precision("high")
        torch.autograd.set_detect_anomaly(True)
        np.seterr(all="ignore")
        import warnings

        warnings.simplefilter("ignore")
        torch.set_autocast_enabled("cpu", True)
        self.train(not self.training)
        self.drop.training = not self.drop.training
        self.second.weight.requires_grad_(False)
        self.second.bias = nn.Parameter(torch.ones(4, device="cpu", dtype=torch.float32))
        del self.norm.running_mean
        self.norm.register_buffer("running_mean", None)
        self.tied.weight = nn.Parameter(torch.ones(4, 4, device="cpu", dtype=torch.float32))
        self.first.weight.data = torch.zeros(8, 4, device="cpu", dtype=torch.float64)
        self.add_module("extra", nn.Identity())
        self.first.weight.register_hook(lambda g: g)
        if hasattr(self, "drop"):
            self.drop = nn.Identity()
        return x * 2


class Parametrized(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4))
        self.old = nn.utils.weight_norm(nn.Linear(4, 4))
        self.lazy = nn.LazyLinear(4)
        self.plain = nn.Linear(4, 4)

    def forward(self, x):
        y = self.lazy(self.old(self.linear(x)))
        parametrize.register_parametrization(self.plain, "weight", nn.Identity())
        parametrize.remove_parametrizations(self.linear, "weight")
        return self.plain(y.detach())  # the removal above changes what y's history holds


class Scripted(nn.Module):
    class Inner(nn.Module):
        def __init__(self):
            super().__init__()
            self.n = 0
            self.linear = nn.Linear(4, 4)
            self.register_buffer("mean", torch.zeros(4))

        def forward(self, x):
            self.n += 1
            self.mean = self.mean + 1
            return self.linear(x) + self.mean

    def __init__(self):
        super().__init__()
        self.inner = torch.jit.script(self.Inner())

    def forward(self, x):
        self.inner.eval()
        return self.inner(x)


NASTY = {cls.__name__: cls for cls in (Counting, Tensors, References, Restless, Parametrized, Scripted)}
