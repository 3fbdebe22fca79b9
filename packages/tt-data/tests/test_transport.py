"""Messages between processes: whole, in their memory order, through memory files and through the pipe alone."""

import os
import threading
from multiprocessing.connection import wait

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tt_data import transport
from tt_tensor import Tensor

WAYS = [False, *([True] if transport.MEMORY_FILES else [])]


@pytest.fixture(params=WAYS, ids=["pipe", "memory"][: len(WAYS)])
def way(request, monkeypatch):
    monkeypatch.setattr(transport, "MEMORY_FILES", request.param)


def there_and_back(*messages):
    ours, theirs = transport.pair()
    with ours, theirs:
        sender = threading.Thread(target=lambda: [transport.send(theirs, message) for message in messages])
        sender.start()
        found = [transport.receive(ours) for _ in messages]
        sender.join()
    return found


@pytest.mark.usefixtures("way")
def test_messages_of_every_size_come_in_order():
    messages = [n * "x" for n in (0, 1, transport.INLINE, 5000, 3_000_000)] + [None, ("batch", 3, [1, 2])]
    assert there_and_back(*messages) == messages


@pytest.mark.usefixtures("way")
def test_many_parts():
    (found,) = there_and_back([np.full(3, k) for k in range(2500)])
    assert [part.tolist() for part in found] == [[k] * 3 for k in range(2500)]


@given(
    hnp.arrays(
        st.sampled_from([np.float32, np.float64, np.uint8, np.int64, np.bool_, ">f4"]),
        hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
    ),
    st.randoms(),
    st.booleans(),
)
@settings(max_examples=60)
def test_arrays_keep_values_and_memory_order(array, rng, as_tensor):
    axes = list(range(array.ndim))
    rng.shuffle(axes)
    turned = array.transpose(axes)
    sent = Tensor(0.0) if as_tensor and array.dtype.isnative else None
    if sent is not None:
        sent.array = turned
    (found,) = there_and_back({"a": turned if sent is None else sent})
    found = found["a"].array if isinstance(found["a"], Tensor) else found["a"]
    np.testing.assert_array_equal(found, turned, strict=True)
    assert found.dtype == turned.dtype and found.flags.writeable
    if min(turned.shape, default=0) > 1:  # the stride of an axis of length 1 means nothing
        assert (
            np.argsort(found.strides, kind="stable").tolist()
            == np.argsort(turned.strides, kind="stable").tolist()
        )


def test_views_with_gaps_backwards_and_without_steps():
    x = np.arange(60.0).reshape(3, 4, 5)
    for view in (x[:, ::2, 1:4], x[::-1, :, ::-1], np.broadcast_to(x[0], (6, 4, 5)), x[1:1]):
        (found,) = there_and_back(view)
        np.testing.assert_array_equal(found, view, strict=True)


def test_a_tensor_that_wants_a_gradient():
    (found,) = there_and_back(Tensor([1.0, 2.0], requires_grad=True))
    assert found.requires_grad and found.tolist() == [1, 2]


@pytest.mark.skipif(not transport.MEMORY_FILES, reason="a packet is there whole where the system has packets")
def test_a_message_is_one_packet():
    """Whoever is stopped in the middle of sending holds nobody up: there is no middle."""
    ours, theirs = transport.pair()
    with ours, theirs:
        transport.send(theirs, np.zeros(100_000))
        transport.send(theirs, "small")
        ours.setblocking(False)
        assert transport.receive(ours).shape == (100_000,)
        assert transport.receive(ours) == "small"
        with pytest.raises(BlockingIOError):
            transport.receive(ours)


def test_what_pickle_does_not_take_sends_nothing():
    ours, theirs = transport.pair()
    with ours, theirs:
        with pytest.raises((AttributeError, TypeError, transport.pickle.PicklingError)):
            transport.send(theirs, lambda: 0)
        assert not wait([ours], 0)


@pytest.mark.usefixtures("way")
def test_nobody_there():
    ours, theirs = transport.pair()
    theirs.close()
    with ours:
        with pytest.raises((EOFError, ConnectionError)):
            transport.receive(ours)
        with pytest.raises(ConnectionError):
            transport.send(ours, "x" * 100_000)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="descriptors are counted in /proc")
def test_no_descriptor_is_left():
    before = len(os.listdir("/proc/self/fd"))
    there_and_back(*[np.zeros(10_000)] * 50)
    assert len(os.listdir("/proc/self/fd")) == before
