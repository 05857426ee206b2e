"""`tp.check` in a real kernel: the report shows itself, and an interrupt restores the model and says so."""

from __future__ import annotations

import queue
import time

import pytest

SLOW_MODEL = """
import hashlib, sys, time
import torch
from torch import nn
import tierproof as tp

class Slow(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(11, 8)
        self.head = nn.Linear(8, 11)
        self.calls = 0
    def forward(self, idx):
        self.calls += 1
        print("forward", flush=True)
        time.sleep(0.2)
        return self.head(self.embed(idx))

model = Slow().train()
def state():
    values = b"".join(p.detach().numpy().tobytes() for p in model.parameters())
    return (hashlib.sha256(values).hexdigest(), model.calls, model.training, len(model._forward_hooks),
            [p.grad for p in model.parameters()], hashlib.sha256(torch.get_rng_state().numpy().tobytes()).hexdigest())
before = state()
"""


@pytest.fixture(scope="module")
def kernel():
    manager = pytest.importorskip("jupyter_client.manager")
    km, client = manager.start_new_kernel(kernel_name="python3", startup_timeout=120)
    yield km, client
    client.stop_channels()
    km.shutdown_kernel(now=True)


def messages(client, timeout=120):
    """Yield output messages of the running cell until it is idle."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        try:
            message = client.get_iopub_msg(timeout=5)
        except queue.Empty:
            continue
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            return
        yield message
    raise TimeoutError("the cell did not end")


def run(client, code):
    client.execute(code)
    return list(messages(client))


def text(found):
    parts = [
        str(m["content"].get("text", "")) + str(m["content"].get("data", {}).get("text/plain", ""))
        for m in found
    ]
    return "".join(parts)


def test_a_report_is_shown_and_nothing_is_left_behind(kernel):
    _, client = kernel
    run(client, SLOW_MODEL)
    found = run(client, "tp.check(model, only=['T1-INIT'], progress=False)")
    html = [m["content"]["data"].get("text/html", "") for m in found if m["msg_type"] == "execute_result"]
    assert "T1-INIT" in html[0]
    assert "True" in text(run(client, "before == state()"))


def test_an_interrupt_restores_and_says_so(kernel):
    manager, client = kernel
    run(client, SLOW_MODEL)
    client.execute("tp.check(model, progress=False)")
    seen, interrupted = [], False
    for message in messages(client):
        seen.append(message)
        if not interrupted and "forward" in str(message["content"].get("text", "")):
            manager.interrupt_kernel()
            interrupted = True
    assert any(m["msg_type"] == "error" and m["content"]["ename"] == "KeyboardInterrupt" for m in seen)
    assert "interrupted; the model was restored" in text(seen)
    assert "True" in text(run(client, "before == state()"))
