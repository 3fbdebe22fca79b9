"""Whose memory, and when written: the version is shared by every kind of view, and forgotten with the array."""

import gc
import threading

import numpy as np
import pytest

import tt_tensor as tt
from tt_tensor import memory
from tt_tensor.errors import InPlaceError, ShapeError

VIEWS = {
    "slice": lambda x: x[1:],
    "step": lambda x: x[::2],
    "reversed": lambda x: x[::-1],
    "row": lambda x: x[0],
    "element": lambda x: x[1, 2],
    "ellipsis": lambda x: x[..., 0],
    "None": lambda x: x[None],
    "reshape": lambda x: x.reshape(6, 4),
    "view": lambda x: x.view(24),
    "flatten": lambda x: x.flatten(),
    "ravel": lambda x: x.ravel(),
    "transpose": lambda x: x.transpose(),
    "T": lambda x: x.T,
    "permute": lambda x: x.permute(1, 0),
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "moveaxis": lambda x: x.moveaxis(0, 1),
    "unsqueeze": lambda x: x.unsqueeze(0),
    "squeeze": lambda x: x[:, None].squeeze(1),
    "expand_dims": lambda x: tt.expand_dims(x, 1),
    "broadcast_to": lambda x: x.broadcast_to((2, 4, 6)),
    "split": lambda x: tt.split(x, 2)[1],
    "unbind": lambda x: tt.unbind(x)[2],
    "narrow": lambda x: x.narrow(0, 1, 2),
    "detach": lambda x: x.detach(),
    "data": lambda x: x.data,
    "numpy": lambda x: tt.from_numpy(x.numpy()),
    "view of a view": lambda x: x.T[1:].reshape(5, 2, 2)[::-1],
}
COPIES = {
    "clone": lambda x: x.clone(),
    "mask": lambda x: x[x > 3],
    "integers": lambda x: x[[0, 1]],
    "astype": lambda x: x.astype("float32"),
    "sum": lambda x: x + 0,
    "tensor": lambda x: tt.tensor(x),
    "reshape that must copy": lambda x: x.T.reshape(-1),
    "concatenate": lambda x: tt.concatenate([x, x]),
}


def grid():
    return tt.arange(24).reshape(4, 6).astype("float32")


@pytest.mark.parametrize("kind", VIEWS)
def test_a_view_shares_memory_and_version(kind):
    x = grid()
    y = VIEWS[kind](x)
    assert y.shares_memory(x)
    assert x.shares_memory(y)
    assert y.is_view() == (y.numpy() is not x.numpy())
    before, tick = y.version, memory.clock
    x[...] = 7.0
    assert y.version == x.version == before + 1
    assert memory.written_since(y.numpy(), tick)
    assert np.all(y.numpy() == 7)


@pytest.mark.parametrize("kind", [kind for kind in VIEWS if kind != "broadcast_to"])
def test_a_write_to_a_view_is_a_write_to_the_whole(kind):
    x = grid()
    y = VIEWS[kind](x)
    before = x.version
    y += 1
    assert x.version == y.version == before + 1
    assert np.any(x.numpy() != grid().numpy())


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_shares_neither(kind):
    x = grid()
    y = COPIES[kind](x)
    assert not y.shares_memory(x)
    before = y.version
    x[...] = 7.0
    assert y.version == before


def test_every_way_to_write_counts_once():
    x = grid()
    writes = [
        lambda: x.__iadd__(1), lambda: x.__setitem__(0, 2.0), lambda: x.__setitem__(x > 3, 0.0),
        lambda: x.write(5.0), lambda: x.__imul__(x), lambda: np.add(x, 1, out=x), lambda: np.add.at(x, 0, 1.0),
        lambda: np.copyto(x, 3.0), lambda: x.numpy().__iadd__(tt.ones(6)),
    ]  # fmt: skip
    for count, write in enumerate(writes, start=1):
        write()
        assert x.version == count


def test_reading_counts_nothing():
    x = grid()
    tick = memory.clock
    _ = x.sum(), x[0], repr(x), x.tolist(), x.numpy(), x == x, np.asarray(x), x.T @ x
    assert x.version == 0
    assert memory.clock == tick
    assert not memory.written_since(x.numpy(), 0)


def test_pieces_of_a_flat_buffer():
    """As an optimizer lays it out: neighbours in one buffer, each an array of its own through the buffer's view."""
    flat = np.zeros(10, np.float32)
    one = tt.from_numpy(np.frombuffer(flat.data, np.float32, 4, 0).reshape(2, 2))
    two = tt.from_numpy(np.frombuffer(flat.data, np.float32, 6, 16))
    assert one.is_view()
    assert one.shares_memory(flat)
    assert not one.shares_memory(two)
    tick = memory.clock
    one += 1
    assert one.version == 1
    assert two.version == 0  # the neighbour was not touched
    assert not memory.written_since(two.numpy(), tick)
    np.testing.assert_array_equal(flat[:4], 1)
    tick = memory.clock
    flat *= 2
    memory.mark_written(flat)
    assert (one.version, two.version) == (2, 1)
    for piece in (one, two, one[0], two[::2], one.T):
        assert memory.written_since(piece.numpy(), tick)


def test_owners():
    flat = np.zeros(8)
    assert [owner is flat for owner in memory.owners(flat)] == [True]
    view = flat[2:].reshape(2, 3).T
    assert [owner is flat for owner in memory.owners(view)] == [True]
    piece = np.frombuffer(flat.data, np.float64, 2)
    assert [
        owner is wanted for owner, wanted in zip(memory.owners(piece[1:]), (piece, flat), strict=True)
    ] == [True, True]


def test_entries_die_with_their_arrays():
    gc.collect()
    before = len(memory._writes)
    for _ in range(10_000):
        t = tt.zeros(2)
        t += 1
        v = t[:1]
        v *= 2
    del t, v
    assert len(memory._writes) <= before
    flat = np.zeros(4)
    piece = np.frombuffer(flat.data, np.float64, 2)
    memory.mark_written(piece)
    memory.mark_written(flat)
    assert len(memory._writes) == before + 2
    assert (memory.version(piece), memory.version(flat)) == (2, 1)
    del flat, piece
    assert len(memory._writes) <= before


def test_a_new_array_at_an_old_address_starts_at_zero():
    for _ in range(1000):
        t = tt.zeros(3)
        assert t.version == 0
        t += 1


def test_ten_thousand_writes_take_one_entry():
    x = tt.zeros(3)
    before = len(memory._writes)
    for _ in range(10_000):
        x += 1
    assert x.version == 10_000
    assert len(memory._writes) == before + 1


def test_threads_count_every_write():
    x = tt.zeros(8)
    clock = memory.clock

    def work(column):
        for _ in range(500):
            t = tt.zeros(1)
            t += 1  # an entry that comes and goes
            x[column] = 1.0

    threads = [threading.Thread(target=work, args=(column,)) for column in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert x.version == 8 * 500
    assert memory.clock == clock + 2 * 8 * 500


@pytest.mark.parametrize(
    ("operation", "saved"),
    [(tt.ops.pointwise.Exp, "y"), (tt.ops.arithmetic.Mul, "x"), (tt.ops.linalg.MatMul, "x")],
    ids=["Exp", "Mul", "MatMul"],
)
def test_a_saved_value_that_was_overwritten_is_an_error_that_names_the_op(operation, saved):
    x = grid()[:4, :4]
    function = operation()
    y = function(x) if saved == "y" else function(x, x + 1)
    wanted = function.gradients(np.ones(y.shape, np.float32))
    assert len(wanted) == len(function.inputs)
    (y if saved == "y" else x)[0, 0] = 5.0
    with pytest.raises(InPlaceError, match=rf"{operation.__name__} needs its saved value .*clone\(\)"):
        function.gradients(np.ones(y.shape, np.float32))


def test_a_write_elsewhere_harms_nothing():
    x, other = grid(), grid()
    function = tt.ops.pointwise.Exp()
    function(x)
    other += 1
    x += 1  # Exp keeps its result, not its input
    assert function.gradients(np.ones((4, 6), np.float32))[0].shape == (4, 6)


def test_write():
    x = grid()
    assert x.write(np.ones((4, 6))) is x
    x.write(tt.zeros(6))
    x.write([1, 2, 3, 4, 5, 6])
    assert x[2].tolist() == [1, 2, 3, 4, 5, 6]
    assert x.dtype == np.float32
    before = x.version
    with pytest.raises(ShapeError, match=r"\(5,\) do not fit into \(4, 6\)"):
        x.write(np.zeros(5))
    with pytest.raises(InPlaceError, match="read-only"):
        tt.zeros(3).broadcast_to((2, 3)).write(1.0)
    assert x.version == before
    assert x[2].tolist() == [1, 2, 3, 4, 5, 6]


def test_a_write_is_seen_through_windows_of_strides():
    x = tt.zeros(10)
    windows = np.lib.stride_tricks.sliding_window_view(x.array, 3)
    tick = memory.clock
    x.add_(1)
    assert memory.written_since(windows, tick)
