"""What becomes of arrays, tensors and functions on their way to another process."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard import calls
from tierproof.errors import MissingPackageError, UsageError
from tierproof.guard.isolate.channel import INLINE_BYTES, Channel, Message
from tierproof.guard.isolate.parcel import Parcel, pack, unpack

np = pytest.importorskip("numpy")


@pytest.fixture(scope="module")
def ends() -> Iterator[tuple[Channel, Channel]]:
    one, other = (Channel(end) for end in socket.socketpair())
    yield one, other
    one.close()
    other.close()


def send(ends: tuple[Channel, Channel], parcel: Parcel | None, **header: Any) -> Message:
    sender = threading.Thread(target=ends[0].send, args=({"kind": "test", **header}, parcel))
    sender.start()
    message = ends[1].receive()
    sender.join()
    assert message is not None
    return message


def carry(value: Any, ends: tuple[Channel, Channel]) -> Any:
    return send(ends, pack(value)).open()


DTYPES = [
    "u1",
    "<i2",
    ">i4",
    "f4",
    "f8",
    "c16",
    "M8[ns]",
    "m8[s]",
    "S3",
    "U2",
    "?",
    [("a", "i4"), ("b", "f8", (2,))],
]


@given(
    dtype=st.sampled_from(DTYPES),
    shape=st.lists(st.integers(0, 7), max_size=3),
    order=st.sampled_from("CF"),
    step=st.sampled_from([1, 2, -1]),
    seed=st.integers(0, 9),
)
@settings(max_examples=150)
def test_any_array_arrives_as_it_was(
    ends: tuple[Channel, Channel], dtype: Any, shape: list[int], order: Any, step: int, seed: int
) -> None:
    kind = np.dtype(dtype)
    count = int(np.prod(shape, dtype=int)) * kind.itemsize
    raw = np.random.default_rng(seed).integers(0, 2 if dtype in ("?", "U2") else 100, count, dtype="u1")
    array = np.ndarray(shape, kind, buffer=raw.tobytes() or b"\0", order=order).copy(order=order)
    view = array[::step] if shape else array
    got = carry(view, ends)
    assert (got.dtype, got.shape) == (view.dtype, view.shape)
    assert got.tobytes() == view.tobytes()
    assert got.flags.writeable


def test_a_large_array_is_handed_over_and_can_be_written(ends: tuple[Channel, Channel]) -> None:
    array = np.arange(INLINE_BYTES, dtype="f8").reshape(1024, -1)
    parcel = pack({"x": array, "again": array, "small": np.arange(3)})
    assert parcel.copies == 0
    assert len(parcel.buffers) == 1
    message = send(ends, parcel)
    assert message.was_mapped
    got = message.open()
    assert got["x"] is got["again"]
    np.testing.assert_array_equal(got["x"], array)
    got["x"][:] = 1
    assert array[0, 1] == 1.0
    assert array[-1, -1] == INLINE_BYTES - 1  # ours is another


def test_a_part_with_gaps_is_made_contiguous_and_that_is_said() -> None:
    assert pack(np.zeros((100, 100))[:, ::2]).copies == 1
    assert pack(np.zeros((100, 100)).T).copies == 0


def test_a_read_only_array_stays_read_only(ends: tuple[Channel, Channel]) -> None:
    array = np.arange(1000)
    array.flags.writeable = False
    assert not carry(array, ends).flags.writeable
    assert not carry(array[::2], ends).flags.writeable


def test_arrays_of_objects_and_subclasses_travel_as_pickle_does_it(ends: tuple[Channel, Channel]) -> None:
    assert carry(np.array([{"a": 1}, None], dtype=object), ends)[0] == {"a": 1}
    masked = carry(np.ma.masked_equal([1, 2, 2], 2), ends)
    assert masked.mask.tolist() == [False, True, True]
    assert carry(np.zeros(3, dtype="V0"), ends).shape == (3,)


def test_many_messages_in_a_row_keep_apart(ends: tuple[Channel, Channel]) -> None:
    values = [np.full(size, size) for size in (1, 10**6, 3, 2 * 10**5, 10**6)]
    sender = threading.Thread(target=lambda: [ends[0].send({"n": n}, pack(v)) for n, v in enumerate(values)])
    sender.start()
    for number, value in enumerate(values):
        message = ends[1].receive()
        assert message is not None
        assert message.header["n"] == number
        np.testing.assert_array_equal(message.open(), value)
    sender.join()


def test_a_message_without_an_object(ends: tuple[Channel, Channel]) -> None:
    message = send(ends, None, word="é")
    assert message.header == {"kind": "test", "word": "é", "inline": True}
    assert (message.bytes, message.was_mapped) == (0, False)


def test_the_end_of_the_other_side_is_no_message() -> None:
    one, other = (Channel(end) for end in socket.socketpair())
    one.send({"kind": "left behind"}, pack(np.zeros(10**6)))
    one.close()
    assert other.read()
    other.close()  # the memory that was not taken goes as well
    one, other = (Channel(end) for end in socket.socketpair())
    one.close()
    assert other.receive() is None
    other.close()


def test_memory_without_a_name_where_there_is_no_memfd(
    ends: tuple[Channel, Channel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("os.memfd_create")
    array = np.arange(INLINE_BYTES)
    got = carry(array, ends)
    np.testing.assert_array_equal(got, array)
    got[0] = 7


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch")


def test_tensors_arrive_with_type_strides_and_gradient_flag(
    ends: tuple[Channel, Channel], torch: Any
) -> None:
    tensors = [
        torch.arange(3 * 10**5, dtype=torch.float32).reshape(3, -1).T,
        torch.ones(1000, dtype=torch.bfloat16),
        torch.tensor(3.5, requires_grad=True),
        torch.zeros(0, 4),
        torch.tensor([True, False]),
        torch.nn.Parameter(torch.ones(300, 2)),
        torch.nn.Parameter(torch.ones(2), requires_grad=False),
        torch.randn(5, dtype=torch.complex64),
    ]
    for before, after in zip(tensors, carry(tensors, ends), strict=True):
        assert type(after) is type(before)
        assert (after.dtype, after.stride(), after.requires_grad) == (
            before.dtype,
            before.stride(),
            before.requires_grad,
        )
        assert torch.equal(after, before)
        after.detach().zero_()  # it may be written


def test_a_large_tensor_is_not_pickled(torch: Any) -> None:
    parcel = pack(torch.ones(10**6))
    assert len(parcel.payload) < 2000
    assert parcel.copies == 0


def test_tensors_that_share_memory_go_on_sharing_it(ends: tuple[Channel, Channel], torch: Any) -> None:
    model = torch.nn.Sequential(torch.nn.Embedding(300, 8), torch.nn.Linear(8, 300, bias=False))
    model[1].weight = model[0].weight
    whole = torch.zeros(1000)
    parcel = pack((model, whole, whole[:600]))
    assert len(parcel.buffers) == 2
    got, whole, part = send(ends, parcel).open()
    assert got[1].weight is got[0].weight
    part.fill_(1)
    assert whole.sum() == 600


def test_a_few_rows_of_a_large_tensor_travel_alone(ends: tuple[Channel, Channel], torch: Any) -> None:
    data = torch.arange(10**6).reshape(1000, -1)
    parcel = pack(data[3])
    assert parcel.copies == 1
    assert sum(buffer.nbytes for buffer in parcel.buffers) == 8000
    assert torch.equal(send(ends, parcel).open(), data[3])


def test_tensors_that_are_more_than_their_values_travel_as_torch_does_it(
    ends: tuple[Channel, Channel], torch: Any
) -> None:
    marked = torch.ones(3)
    marked.note = "kept"
    assert carry(marked, ends).note == "kept"
    sparse = torch.eye(3).to_sparse()
    assert torch.equal(carry(sparse, ends).to_dense(), torch.eye(3))
    conjugate = torch.tensor([1 + 2j]).conj()
    assert torch.equal(carry(conjugate, ends), conjugate)


def test_a_function_is_named_where_a_module_holds_it(ends: tuple[Channel, Channel]) -> None:
    assert carry(calls.add, ends) is calls.add
    assert len(pack(calls.add).payload) < 100


def test_a_function_that_no_module_holds_takes_cloudpickle(ends: tuple[Channel, Channel]) -> None:
    pytest.importorskip("cloudpickle")
    factor = 3
    assert carry((lambda value: value * factor, np.arange(1000)), ends)[0](4) == 12


@pytest.mark.parametrize("value", [lambda: 1, type("Local", (), {"__module__": "__main__"})])
def test_without_cloudpickle_the_message_says_how_to_get_it(
    value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    with pytest.raises(MissingPackageError, match="cloudpickle is needed") as caught:
        pack(value)
    assert 'tp.install("cloudpickle")' in str(caught.value)
    assert ".py file" in str(caught.value)


@pytest.mark.parametrize("absent", [True, False])
def test_what_cannot_be_pickled_is_refused_with_the_reason(
    absent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if absent:
        monkeypatch.setitem(sys.modules, "cloudpickle", None)
    else:
        pytest.importorskip("cloudpickle")
    with pytest.raises(UsageError, match=r"cannot be sent .*lock"):
        pack({"held": threading.Lock()})


def test_a_parcel_opens_in_place() -> None:
    array = np.arange(1000)
    parcel = pack(array)
    assert unpack(parcel.payload, parcel.buffers)[5] == 5
