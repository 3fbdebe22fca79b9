"""The plane of the greatest variance, and the points on it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_text.pictures import embedding_projection, principal_components


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@given(st.integers(1, 12), st.integers(1, 6), st.integers(1, 4))
def test_components_are_those_of_the_covariance(rows, columns, count):
    x = draw(rows, columns) * np.arange(1, columns + 1)
    places, shares = principal_components(x, count)
    assert places.shape == (rows, count) and shares.shape == (count,)
    values = np.zeros(count)
    found = np.sort(np.linalg.eigvalsh(np.cov(x.T, bias=True).reshape(columns, columns)))[::-1][:count]
    values[: len(found)] = found if rows > 1 else 0
    # The variance along each direction is the eigenvalue; different directions do not vary together.
    np.testing.assert_allclose(places.T @ places / rows, np.diag(values), atol=1e-9)
    total = x.var(axis=0).sum()
    np.testing.assert_allclose(shares, values / total if rows > 1 else 0, atol=1e-9)
    np.testing.assert_allclose(places.mean(axis=0), 0, atol=1e-12)


def test_all_components_keep_all_distances():
    x = draw(6, 3)
    places, shares = principal_components(x, 3)
    apart = [np.linalg.norm(a[:, None] - a, axis=2) for a in (x, places)]
    np.testing.assert_allclose(*apart)
    assert shares.sum() == pytest.approx(1) and (np.diff(shares) <= 0).all()


def test_the_sign_is_always_the_same():
    x = draw(8, 3)
    places, _ = principal_components(x)
    np.testing.assert_allclose(principal_components(x[::-1])[0][::-1], places)
    np.testing.assert_allclose(principal_components(Tensor(x + 100))[0], places)


def test_what_the_picture_shows():
    x = draw(5, 4)
    figure = embedding_projection(x, list("abcd "))
    (axis,) = figure.axes
    places, shares = principal_components(x)
    np.testing.assert_allclose(axis.collections[0].get_offsets(), places)
    assert [text.get_text() for text in axis.texts] == ["a", "b", "c", "d", "␣"]
    np.testing.assert_allclose([text.xy for text in axis.texts], places)
    assert axis.get_xlabel() == f"first component ({shares[0]:.0%} of the variance)"
    assert figure.get_suptitle() == "5 embeddings of 4 numbers"
    assert embedding_projection(x, title="mine").get_suptitle() == "mine"


def test_many_points_have_no_labels_and_one_is_drawn_too():
    axis = embedding_projection(draw(500, 3), ["x"] * 500).axes[0]
    assert not axis.texts and len(axis.collections[0].get_offsets()) == 500
    one = embedding_projection(np.ones((1, 1), np.float32), ["x"]).axes[0]
    np.testing.assert_array_equal(one.collections[0].get_offsets(), [[0, 0]])


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: principal_components(draw(3)), ShapeError, r"not \(3,\)"),
        (lambda: principal_components(draw(0, 3)), ShapeError, r"not \(0, 3\)"),
        (lambda: principal_components(np.ones((2, 2), int)), DTypeError, "int64"),
        (lambda: principal_components(draw(2, 2), 0), ArgumentError, "count"),
        (lambda: principal_components([[1.0, np.nan]]), ArgumentError, "infinite"),
        (lambda: embedding_projection(draw(2, 2), ["a"]), ShapeError, "1 labels for 2 vectors"),
        (lambda: embedding_projection(draw(2, 2), [1, 2]), DTypeError, "decode"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
