"""Many arrays in one pass: the bits of one after the other, wherever arrays end."""

import math

import numpy as np
import pytest

import tt_optim
import tt_perf
import tt_tensor as tt
from tt_nn import shards
from tt_perf.compiled.adam import adam
from tt_perf.compiled.clipping import sum_of_squares
from tt_perf.compiled.many import STRETCH, addresses
from tt_perf.compiled.sums import add_up
from tt_tensor import kernels

SIZES = [3, 0, STRETCH, 1, 2 * STRETCH + 5, 0, 70_000, 17, 0]


def arrays(seed, sizes=SIZES, dtype=np.float32):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=n).astype(dtype) for n in sizes]


def in_groups(counts, seed=0, dtype=np.float32):
    columns = [arrays(seed + k, dtype=dtype) for k in range(max(counts))]
    return [tuple(columns[j][k] for j in range(counts[k])) for k in range(len(SIZES))]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("times", "by"), [(1.0, 1.0), (0.37, 1.0), (1.0, 11.0)])
@pytest.mark.parametrize("counts", [[1] * 9, [2] * 9, [3, 1, 2, 4, 1, 2, 3, 4, 1]], ids=str)
def test_sums_have_the_bits_of_numpy(threads, times, by, counts):
    found, wanted = in_groups(counts), in_groups(counts)
    with shards.threads(threads):
        add_up(found, times, by)
    kernels.kernel("add_up", "numpy")(wanted, times, by)
    for one, other in zip(found, wanted, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_arrays_of_other_orders():
    rng = np.random.default_rng(0)
    rows = [rng.normal(size=(30, 40)).astype(np.float32) for _ in range(6)]
    columns = [np.asfortranarray(one) for one in rows]
    for first, second in (
        (rows[0], rows[1]),
        (columns[0], columns[1]),
        (rows[2], columns[2]),
        (columns[3], rows[3]),
    ):
        expected = (first + second) / 2
        found = first.copy(order="K")
        add_up([(found, second), (np.ones(5, np.float32),)], by=2.0)
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert sum_of_squares.of_many([columns[0], rows[0]]) == pytest.approx(
        2 * float((rows[0] ** 2.0).sum()), rel=1e-5
    )
    assert sum_of_squares.of_many([rows[0][:, ::2]]) is None
    single = np.array(3.0, np.float32)
    add_up([(single, single.copy()), (np.ones((4, 1), np.float32), np.ones((4, 1), np.float32))])
    assert single == 6


def test_sums_of_what_does_not_suit_are_numpys():
    wide = np.ones(20, np.float32)
    for group in ((np.ones(4), np.ones(4)), (wide[::2], wide[1::2].copy())):
        add_up([group], by=4.0)
        assert group[0].tolist() == [0.5] * len(group[0])
    add_up([])


def test_what_is_not_finite_is_as_in_numpy():
    bad = np.array([math.inf, -math.inf, math.nan, 0, 3e38, 1e-45] * 5, np.float32)
    found, wanted = [(bad.copy(), bad[::-1].copy())], [(bad.copy(), bad[::-1].copy())]
    with np.errstate(all="ignore"):
        add_up(found, by=3.0)
        kernels.kernel("add_up", "numpy")(wanted, by=3.0)
    np.testing.assert_array_equal(found[0][0], wanted[0][0])


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e25])
def test_squares(scale):
    some = [one * np.float32(scale) for one in arrays(3)]
    found = sum_of_squares.of_many(some)
    wanted = math.fsum(float(x) ** 2 for one in some for x in one)
    assert found == pytest.approx(wanted, rel=1e-12)
    with shards.threads(1):
        assert sum_of_squares.of_many(some) == found
    assert sum_of_squares.of_many([np.zeros(0, np.float32)] * 2) == 0
    assert math.isnan(sum_of_squares.of_many([np.ones(3, np.float32), np.array([math.nan], np.float32)]))
    assert sum_of_squares.of_many([np.ones(3)]) is None
    one = np.ones(3, np.float32)
    one.setflags(write=False)
    assert sum_of_squares.of_many([one]) is None


@pytest.mark.parametrize(
    "settings", [(1.0, 0.0, 0.999, 0.9, 0.99, 2e-3, 1e-8), (-1.0, 0.1, 1.0, 0.5, 0.9, 0.1, 1e-3)]
)
def test_adam_in_pieces_is_adam(settings):
    grads, size = arrays(5), sum(SIZES)
    state = [*arrays(6, [size]), *arrays(7, [size]), np.abs(arrays(8, [size])[0])]
    found, wanted = [one.copy() for one in state], [one.copy() for one in state]
    assert adam.of_pieces(found[0], grads, found[1], found[2], *settings)
    adam(wanted[0], np.concatenate(grads), wanted[1], wanted[2], None, [], *settings)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)
    assert not adam.of_pieces(found[0], [one.astype(np.float64) for one in grads], *found[1:], *settings)
    assert not adam.of_pieces(found[0], grads[2:], *found[1:], *settings)


@pytest.mark.parametrize("amsgrad", [False, True])
def test_an_optimizer_steps_as_with_numpy(amsgrad):
    def stepped():
        parameters = [tt.Tensor(one, requires_grad=True) for one in arrays(1)]
        optimizer = tt_optim.AdamW(parameters, lr=0.01, amsgrad=amsgrad)
        for step in range(3):
            for p, g in zip(parameters, arrays(step + 2), strict=True):
                p.grad = tt.Tensor(g) if step != 1 or p.size != 17 else None
            optimizer.step()
        state = [entry["exp_avg_sq"].numpy() for entry in optimizer.state.values()]
        return [p.numpy() for p in parameters] + state

    wanted = stepped()
    with tt_perf.accelerate(malloc=False):
        found = stepped()
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-6, atol=1e-7)


def test_addresses_of_groups_of_other_lengths():
    assert addresses([(np.ones(3, np.float32), np.ones(4, np.float32))]) is None
    places, offsets = addresses(in_groups([1, 2, 1, 1, 1, 1, 1, 1, 1]))
    assert places.shape == (9, 2) and offsets[-1] == sum(SIZES)
