"""einsum: NumPy's values in every form of the notation, as fast as the matrix product in it, typed errors."""

from string import ascii_letters

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_tensor as tt
from tt_tensor import kernels
from tt_tensor.errors import ArgumentError, AxisError, DTypeError, ShapeError
from tt_tensor.ops.einsum import Einsum
from tt_tensor.testing import check_on_tensors, check_rule


def of(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@st.composite
def sums(draw, most=3):
    """Subscripts of any kind, with operands: repeated letters, sums in one operand, sizes of 0 and 1."""
    letters = "abcd"
    sizes = {letter: draw(st.integers(0, 3)) for letter in letters}
    terms = draw(st.lists(st.text(letters, max_size=3), min_size=1, max_size=most))
    used = sorted(set("".join(terms)))
    out = "".join(draw(st.permutations(used))[: draw(st.integers(0, len(used)))])
    arrays = [of(*[sizes[letter] for letter in term], seed=k) for k, term in enumerate(terms)]
    arrow = "" if draw(st.booleans()) else "->" + out
    return ",".join(terms) + arrow, [np.asarray(x) for x in arrays]


@given(sums())
def test_values_are_numpys(case):
    subscripts, arrays = case
    wanted = np.asarray(np.einsum(subscripts, *arrays))
    found = tt.einsum(subscripts, *[tt.from_numpy(x) for x in arrays])
    np.testing.assert_allclose(found.numpy(), wanted, 1e-9, 1e-12, strict=True)


@given(sums())
def test_rules(case):
    subscripts, arrays = case
    check_rule(lambda: Einsum(subscripts), *arrays)
    check_on_tensors(lambda: Einsum(subscripts), *arrays, rtol=1e-9)


@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("...ij,...jk->...ik", [(5, 1, 2, 3), (4, 3, 2)]),
        ("...,...", [(2, 1), (3,)]),
        ("i...->...i", [(2, 3, 4)]),
        ("a...b,b...->a...", [(2, 4, 3), (3, 4)]),
        (" i j , j k -> i k ", [(2, 3), (3, 4)]),
        ("Ab,bA", [(2, 3), (3, 2)]),
        ("ab,bc,cd,de,ef->af", [(2, 3), (3, 4), (4, 3), (3, 2), (2, 5)]),
        ("...i,...i,...i->...", [(2, 3), (3,), (4, 1, 3)]),
        ("bhqd,bhkd->bhqk", [(2, 3, 4, 5), (2, 3, 6, 5)]),
        ("abcd,dcba->", [(2, 3, 4, 5), (5, 4, 3, 2)]),
        ("ij,jk->ik", [(2, 1), (3, 2)]),
    ],
)
def test_forms(subscripts, shapes):
    arrays = [of(*shape, seed=k) for k, shape in enumerate(shapes)]
    wanted = np.asarray(np.einsum(subscripts, *arrays))
    for found in (
        tt.einsum(subscripts, *arrays),
        np.einsum(subscripts, *[tt.from_numpy(x) for x in arrays]),
        tt.einsum(subscripts, *arrays, optimize="optimal"),
    ):
        np.testing.assert_allclose(found.numpy(), wanted, 1e-9, strict=True)


def test_lists_of_integers():
    x, y = of(2, 3), of(3, 4)
    np.testing.assert_allclose(tt.einsum(x, [0, 1], y, [1, 2], [2, 0]).numpy(), (x @ y).T)
    np.testing.assert_allclose(tt.einsum(x, [0, 1], y, [1, 2]).numpy(), x @ y)
    np.testing.assert_allclose(tt.einsum(x, [..., 1], [1, ...]).numpy(), x.T)


def test_an_ellipsis_that_the_output_has_not_is_summed_as_in_pytorch():
    x = of(2, 3, 4)
    np.testing.assert_allclose(tt.einsum("...i->i", x).numpy(), x.sum((0, 1)))


def test_dtypes():
    assert tt.einsum("ij,jk", tt.ones(2, 2), tt.ones(2, 2)).dtype == np.float32
    assert tt.einsum("ij,jk", tt.ones(2, 2), tt.ones(2, 2, dtype="float64")).dtype == np.float64
    assert tt.einsum(",i->i", 2.0, tt.ones(2)).dtype == np.float32
    assert tt.einsum("ii", tt.Tensor([[1, 2], [3, 4]])).dtype == np.int64
    assert tt.einsum("i,i,i->i", tt.ones(2), tt.ones(2), tt.ones(2)).dtype == np.float32


def test_without_a_sum_it_is_a_view():
    x = tt.ones(3, 3)
    assert tt.einsum("ij->ji", x).shares_memory(x)
    assert tt.einsum("ii->i", x).shares_memory(x)


@pytest.mark.parametrize(
    ("subscripts", "shapes", "products"),
    [
        ("ij,jk->ik", [(2, 3), (3, 4)], [((2, 3), (3, 4))]),
        ("bhqd,bhkd->bhqk", [(2, 3, 4, 5), (2, 3, 6, 5)], [((2, 3, 4, 5), (2, 3, 5, 6))]),
        ("bqhd,bkhd->bhqk", [(2, 4, 3, 5), (2, 6, 3, 5)], [((2, 3, 4, 5), (2, 3, 5, 6))]),
        ("abc,abc->", [(2, 3, 4), (2, 3, 4)], [((1, 24), (24, 1))]),
        ("ij,kj->ki", [(2, 3), (4, 3)], [((2, 3), (3, 4))]),
        ("i,j->ij", [(2,), (3,)], []),
    ],
)
def test_a_sum_between_two_operands_is_one_matrix_product(subscripts, shapes, products, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "tt_tensor.ops.einsum.product", lambda x, y: (seen.append((x.shape, y.shape)), np.matmul(x, y))[1]
    )
    tt.einsum(subscripts, *[of(*shape) for shape in shapes])
    assert seen == products


def test_attention_scores_copy_nothing(monkeypatch):
    q, k = of(2, 4, 3, 5), of(2, 6, 3, 5)
    seen = []
    monkeypatch.setattr(
        "tt_tensor.ops.einsum.product", lambda x, y: (seen.extend([x, y]), np.matmul(x, y))[1]
    )
    tt.einsum("bqhd,bkhd->bhqk", q, k)
    assert np.shares_memory(seen[0], q)
    assert np.shares_memory(seen[1], k)


def test_loops():
    x, y, z = of(2, 3), of(3, 4, seed=1), of(4, 2, seed=2)
    fast = tt.einsum("ij,jk,kl->il", x, y, z).numpy()
    with kernels.use("loops"):
        np.testing.assert_allclose(tt.einsum("ij,jk,kl->il", x, y, z).numpy(), fast, 1e-12)


def test_second_derivatives(tape):
    """Σ x A x has the second derivative A + Aᵀ."""
    x, a = tt.from_numpy(of(3)), of(3, 3, seed=1)

    def first(x):
        run = lambda x: tt.einsum("i,ij,j->", x, a, x)  # noqa: E731
        return tape.gradients(run, [x], tt.ones((), dtype="float64"), create_graph=True)[1][0]

    hessian = [tape.gradients(first, [x], row)[1][0] for row in np.eye(3)]
    np.testing.assert_allclose(hessian, a + a.T, 1e-9)


@pytest.mark.parametrize(
    ("subscripts", "shapes", "error", "words"),
    [
        ("ij,jk->ik", [(2, 3)], ArgumentError, "2 operands, but 1"),
        ("ij->ik", [(2, 3)], ArgumentError, "'k', which no operand has"),
        ("ij->ii", [(2, 3)], ArgumentError, "twice"),
        ("i1->i", [(2, 3)], ArgumentError, "letters"),
        ("i..j->i", [(2, 3)], ArgumentError, "ellipsis"),
        ("...i...->i", [(2, 3)], ArgumentError, "one ellipsis"),
        ("ij->i->j", [(2, 3)], ArgumentError, "letters"),
        ("ij->i,j", [(2, 3)], ArgumentError, "letters"),
        ("ijk->i", [(2, 3)], ShapeError, "operand 0 has 2 axes, but its subscripts 'ijk' name 3"),
        ("i->i", [(2, 3)], ShapeError, "use '...'"),
        ("ij,jk->ik", [(2, 3), (4, 5)], ShapeError, "axis 'j' has size 3 in one place and 4"),
        ("ii", [(2, 3)], ShapeError, "axis 'i'"),
        ("...i,...i", [(2, 3), (4, 3)], ShapeError, "ellipsis"),
        (ascii_letters + "...->", [(1,) * 53], ArgumentError, "more than 52 axes"),
    ],
)
def test_wrong_subscripts(subscripts, shapes, error, words):
    with pytest.raises(error) as caught:
        tt.einsum(subscripts, *[tt.ones(shape) for shape in shapes])
    assert words in str(caught.value)
    assert subscripts in str(caught.value)


def test_wrong_operands():
    with pytest.raises(ArgumentError, match="no operands"):
        tt.einsum("ij->i")
    with pytest.raises(DTypeError, match="<U4"):
        tt.einsum("i->i", "text")
    with pytest.raises(ArgumentError, match="no list of integers"):
        tt.einsum(tt.ones(2), ["a"])
    with pytest.raises(ArgumentError, match="no list of integers"):
        tt.einsum(tt.ones(2), 3)


@given(st.integers(0, 2), st.integers(0, 2), st.integers(0, 2))
def test_tensordot_by_number(left, shared, right):
    sizes = (2, 3, 4, 5, 2, 3)
    x, y = of(*sizes[: left + shared]), of(*sizes[left : left + shared + right], seed=1)
    x, y = np.asarray(x), np.asarray(y)
    np.testing.assert_allclose(tt.tensordot(x, y, shared).numpy(), np.tensordot(x, y, shared))


def test_tensordot_by_lists():
    x, y = of(2, 3, 4), of(4, 5, 2, seed=1)
    for axes in ([[0, 2], [2, 0]], ((-1, 0), (0, -1)), (2, 0), ([2], [0])):
        np.testing.assert_allclose(tt.tensordot(x, y, axes).numpy(), np.tensordot(x, y, axes))


@pytest.mark.parametrize(
    ("axes", "error", "words"),
    [
        (3, ShapeError, "3 axes"),
        (-1, ShapeError, "cannot be paired"),
        (([0], [0, 1]), ShapeError, "1 axes"),
        (([0], [1]), ShapeError, "differ in size"),
        (([2], [0]), AxisError, "axis 2"),
        (([0, 0], [0, 0]), AxisError, "twice"),
        (None, DTypeError, "two lists"),
        ((1, 2, 3), DTypeError, "two lists"),
    ],
)
def test_wrong_tensordot(axes, error, words):
    with pytest.raises(error, match=words):
        tt.tensordot(tt.ones(2, 3), tt.ones(2, 3), axes)


def test_operands_in_a_list():
    x, y = of(2, 3), of(3, seed=1)
    np.testing.assert_array_equal(tt.einsum("ij,j->i", [x, y]).numpy(), tt.einsum("ij,j->i", x, y).numpy())
    assert tt.einsum("i->", [1.0, 2.0]).item() == 3.0  # one operand, which is a list
