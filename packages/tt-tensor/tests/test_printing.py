"""How a Tensor looks: PyTorch's layout, the same whatever NumPy's print options say, readable by tensor()."""

import textwrap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tt_tensor as tt
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError

LOOKS = [
    (lambda: tt.tensor([[1.0, 2.0], [3.0, 4.0]]), "tensor([[1., 2.],\n        [3., 4.]])"),
    (lambda: tt.tensor([1.5, -2.25, 3.0]), "tensor([ 1.5000, -2.2500,  3.0000])"),
    (lambda: tt.tensor(1.5), "tensor(1.5000)"),
    (lambda: tt.tensor(2.0), "tensor(2.)"),
    (lambda: tt.tensor(7), "tensor(7)"),
    (lambda: tt.tensor(True), "tensor(True)"),
    (lambda: tt.tensor([True, False]), "tensor([ True, False])"),
    (lambda: tt.tensor([1, -20]), "tensor([  1, -20])"),
    (lambda: tt.tensor([1e-9, 1.0]), "tensor([1.0000e-09, 1.0000e+00])"),
    (lambda: tt.tensor([float("nan"), float("inf"), -float("inf")]), "tensor([ nan,  inf, -inf])"),
    (lambda: tt.tensor([float("nan"), 0.5]), "tensor([   nan, 0.5000])"),
    (lambda: tt.tensor([0.5], dtype="float64"), "tensor([0.5000], dtype=float64)"),
    (lambda: tt.tensor([0.5], dtype="float16"), "tensor([0.5000], dtype=float16)"),
    (lambda: tt.tensor([5], dtype="uint8"), "tensor([5], dtype=uint8)"),
    (lambda: tt.tensor([]), "tensor([])"),
    (lambda: tt.zeros(0, 3), "tensor([], shape=(0, 3))"),
    (lambda: tt.zeros(2, 0, dtype="float64"), "tensor([], shape=(2, 0), dtype=float64)"),
    (lambda: tt.zeros(0, dtype="int64"), "tensor([], dtype=int64)"),
    (lambda: tt.zeros(2, requires_grad=True), "tensor([0., 0.], requires_grad=True)"),
    (
        lambda: tt.zeros(2, dtype="float64", requires_grad=True),
        "tensor([0., 0.], dtype=float64, requires_grad=True)",
    ),
    (lambda: tt.arange(4).reshape(2, 2).T, "tensor([[0, 2],\n        [1, 3]])"),
    (
        lambda: tt.arange(8).reshape(2, 2, 2),
        "tensor([[[0, 1],\n         [2, 3]],\n\n        [[4, 5],\n         [6, 7]]])",
    ),
    (lambda: tt.arange(1001), "tensor([   0,    1,    2, ...,  998,  999, 1000], shape=(1001,))"),
    (
        lambda: tt.ones(100, 100) / 2,
        textwrap.dedent(
            """\
            tensor([[0.5000, 0.5000, 0.5000, ..., 0.5000, 0.5000, 0.5000],
                    [0.5000, 0.5000, 0.5000, ..., 0.5000, 0.5000, 0.5000],
                    [0.5000, 0.5000, 0.5000, ..., 0.5000, 0.5000, 0.5000],
                    ...,
                    [0.5000, 0.5000, 0.5000, ..., 0.5000, 0.5000, 0.5000],
                    [0.5000, 0.5000, 0.5000, ..., 0.5000, 0.5000, 0.5000],
                    [0.5000, 0.5000, 0.5000, ..., 0.5000, 0.5000, 0.5000]],
                   shape=(100, 100))"""
        ),
    ),
    (
        lambda: tt.full((9,), 0.5, dtype="float64", requires_grad=True),
        "tensor([0.5000, 0.5000, 0.5000, 0.5000, 0.5000, 0.5000, 0.5000, 0.5000, 0.5000],\n"
        "       dtype=float64, requires_grad=True)",
    ),
]


@pytest.mark.parametrize(("make", "wanted"), LOOKS, ids=[wanted.split("\n")[0] for _, wanted in LOOKS])
def test_repr(make, wanted):
    assert repr(make()) == wanted
    assert str(make()) == wanted
    assert f"{make()}" == (wanted if make().ndim else str(make().item()))  # as in PyTorch


def test_numpys_print_options_change_nothing():
    t = tt.tensor([1.0 / 3, 2.0])
    wanted = repr(t)
    with np.printoptions(
        precision=1, suppress=True, formatter={"float": lambda x: "?"}, threshold=1, nanstr="x"
    ):
        assert repr(t) == wanted


def test_our_print_options():
    t = tt.tensor([1.0 / 3, 2.0])
    with tt.printoptions(precision=2):
        assert repr(t) == "tensor([0.33, 2.00])"
        with tt.printoptions(edgeitems=1, threshold=2):
            assert repr(tt.arange(5)) == "tensor([0, ..., 4], shape=(5,))"
    assert repr(t) == "tensor([0.3333, 2.0000])"
    for wrong, error in (
        ({"colour": 1}, ArgumentError),
        ({"precision": -1}, ArgumentError),
        ({"precision": "4"}, DTypeError),
    ):
        with pytest.raises(error, match="printoptions"), tt.printoptions(**wrong):
            pass


def test_a_subclass_shows_its_name():
    class Parameter(tt.Tensor):
        pass

    assert repr(Parameter([1.0, 2.0], requires_grad=True)) == "Parameter([1., 2.], requires_grad=True)"


def test_a_result_shows_what_made_it():
    class Node:
        def __init__(self, function):
            self.function = function

    class Add:
        pass

    t = tt.tensor([1.0], requires_grad=True) + 1
    t._requires_grad = True
    t._node = Node(Add())
    assert repr(t) == "tensor([2.], grad_fn=<Add>)"
    t._node = Add()
    assert repr(t) == "tensor([2.], grad_fn=<Add>)"


@given(
    hnp.arrays(
        st.sampled_from([np.float32, np.float64, np.int64, np.bool_, np.uint8]),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=4),
        elements={"allow_nan": False, "allow_infinity": False, "min_value": 0, "max_value": 100},
    )
)
def test_small_ones_read_back(array):
    t = tt.from_numpy(array)
    again = eval(repr(t), {**vars(tt), "uint8": np.uint8})
    assert again.dtype == t.dtype
    np.testing.assert_allclose(again.numpy(), array, rtol=1e-3, atol=1e-4)


def test_summary_of_a_large_one_looks_only_at_its_corners():
    t = tt.from_numpy(np.broadcast_to(np.float32(0.5), (10**6, 10**6)))  # as many as nobody could format
    assert repr(t).endswith("shape=(1000000, 1000000))")


def test_format():
    assert f"{tt.tensor(1.23456):.2f}" == "1.23"
    assert f"{tt.tensor(7):>3}" == "  7"
    with pytest.raises(ShapeError, match="one number"):
        format(tt.zeros(2), ".2f")
