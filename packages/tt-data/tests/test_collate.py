"""Batches out of samples: structure and dtype kept, what does not fit named."""

from collections import OrderedDict, namedtuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tt_data import default_collate, default_convert
from tt_data.collate import collate
from tt_data.whole_batch import join, rows, samples_of
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError

Point = namedtuple("Point", "x y")
DTYPES = [np.float16, np.float32, np.float64, np.uint8, np.int32, np.int64, np.bool_]


@given(
    st.sampled_from(DTYPES),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    st.integers(1, 5),
)
@settings(max_examples=40)
def test_arrays_are_stacked(dtype, shape, n):
    rng = np.random.default_rng(0)
    samples = [rng.integers(0, 2, shape).astype(dtype) for _ in range(n)]
    for given_ in (samples, [Tensor(s) for s in samples], [s.T.copy().T for s in samples]):
        batch = default_collate(given_)
        assert isinstance(batch, Tensor)
        np.testing.assert_array_equal(batch, np.stack(samples), strict=True)


@pytest.mark.parametrize(
    ("numbers", "dtype"),
    [
        ([1, 2], np.int64),
        ([1.5, 2], np.float32),
        ([True, False], np.bool_),
        ([np.float64(1), np.float64(2)], np.float64),
        ([np.float32(1), np.float32(2)], np.float32),
        ([np.uint8(200), np.uint8(100)], np.uint8),
    ],
)
def test_numbers(numbers, dtype):
    np.testing.assert_array_equal(default_collate(numbers), np.array(numbers, dtype), strict=True)


@pytest.mark.parametrize(
    "make", [np.float32, lambda x: np.array(x, np.float32), lambda x: Tensor(np.array(x, np.float32))]
)
@pytest.mark.parametrize("other", [2.0, 2, True])
def test_float32_beside_numbers_of_python_stays_float32(make, other):
    """It was float64 where the one with a dtype came first."""
    for numbers in ([make(1), other], [other, make(1)]):
        batch = default_collate(numbers)
        assert batch.dtype == np.float32
        assert batch.tolist() == list(map(float, numbers))


def test_structures_stay_what_they_are():
    samples = [
        {
            "image": np.full((2,), k, np.float32),
            "name": f"n{k}",
            "at": Point(k, [k, -k]),
            "pair": (k, 2.0 * k),
        }
        for k in range(3)
    ]
    batch = default_collate(samples)
    assert type(batch) is dict and type(batch["at"]) is Point
    assert type(batch["at"].y) is list and type(batch["pair"]) is tuple
    assert batch["name"] == ["n0", "n1", "n2"]
    assert batch["at"].y[1].tolist() == [0, -1, -2]
    assert batch["pair"][1].dtype == np.float32
    assert default_collate([OrderedDict(a=1), {"a": 2}])["a"].tolist() == [1, 2]
    assert default_collate([b"x", b"yy"]) == [b"x", b"yy"]
    assert default_collate([(), ()]) == ()


def test_shapes_that_differ_are_named():
    with pytest.raises(ShapeError, match=r"sample 2 has shape \(3, 5\), but sample 0 has \(3, 4\)"):
        default_collate([np.zeros((3, 4)), np.zeros((3, 4)), np.zeros((3, 5))])
    with pytest.raises(ShapeError, match=r"sample 1 \(index 7\) at \[0\]\['a'\] has shape \(2,\)"):
        collate([({"a": np.zeros(3)},), ({"a": np.zeros(2)},)], [4, 7])
    with pytest.raises(ShapeError, match="sample 1 has length 3, but sample 0 has 2"):
        default_collate([(1, 2), (1, 2, 3)])
    with pytest.raises(ShapeError, match=r"sample 1 has the keys \['b'\]"):
        default_collate([{"a": 1}, {"b": 1}])


@pytest.mark.parametrize("bad", [[object()], [None], [1, None], [1, "a"], [(1,), 2], [np.array(["a"])], [1j]])
def test_what_cannot_be_a_batch(bad):
    with pytest.raises(DTypeError, match="collate: sample"):
        default_collate(bad)


def test_an_integer_that_no_dtype_holds():
    with pytest.raises(DTypeError):
        default_collate([2**70, 1])


def test_no_sample():
    with pytest.raises(ArgumentError):
        default_collate([])


def test_conversion_shares_memory():
    x = np.arange(4.0)
    found = default_convert({"a": (x, "text", 3), "b": [np.float32(1)], "c": Point(x, None)})
    assert np.shares_memory(found["a"][0].array, x)
    assert found["a"][1:] == ("text", 3)
    assert found["b"][0].dtype == np.float32 and type(found["c"]) is Point
    text = np.array(["a", "b"])
    assert default_convert(text) is text
    assert default_convert(np.arange(3, dtype=">f4")).dtype == np.dtype("f4")


STRUCTURES = [
    lambda n: np.arange(3 * n).reshape(n, 3),
    lambda n: (np.arange(n), [str(i) for i in range(n)]),
    lambda n: {"a": Tensor(np.arange(n)), "b": [np.arange(n) * 2, np.zeros((n, 0, 2))]},
    lambda n: Point(np.arange(n), (np.arange(n) % 2 == 0,)),
]


@pytest.mark.parametrize("make", STRUCTURES)
@given(n=st.integers(1, 5))
@settings(max_examples=15)
def test_taking_apart_is_the_inverse(make, n):
    batch = make(n)
    assert rows(batch) == n
    samples = samples_of(batch, n)
    assert_same(default_collate(samples), default_convert(batch))


@pytest.mark.parametrize("make", STRUCTURES)
@given(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=3), seed=st.integers(0, 99))
@settings(max_examples=25)
def test_joining_is_collating_all_samples(make, sizes, seed):
    batches = [make(n) for n in sizes]
    samples = [s for batch, n in zip(batches, sizes, strict=True) for s in samples_of(batch, n)]
    order = np.random.default_rng(seed).permutation(len(samples))
    assert_same(default_convert(join(batches, order)), default_collate([samples[i] for i in order]))


def assert_same(a, b):
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert list(a) == list(b)
        a, b = list(a.values()), list(b.values())
    if isinstance(a, tuple | list):
        assert len(a) == len(b)
        for p, q in zip(a, b, strict=True):
            assert_same(p, q)
    elif isinstance(a, Tensor):
        np.testing.assert_array_equal(a, b, strict=True)
    else:
        assert a == b


def test_rows_where_nothing_counts():
    assert rows(3) is None and rows(()) is None and rows(np.float32(1)) is None
