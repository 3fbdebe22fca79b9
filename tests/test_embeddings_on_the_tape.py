"""Embeddings and positions: by hand is by tape, a shared table gets both gradients, padding none at any order."""

import numpy as np
import pytest

import tt_autograd
from tt_autograd.gradcheck import gradcheck_report, gradgradcheck_report
from tt_nn import Linear
from tt_tensor import Tensor, from_numpy
from tt_text import Embedding, LearnedPositions, RotaryEmbedding, SinusoidalPositions
from tt_text.functional import embedding, embedding_bag

IDS = np.array([[0, 2, 2], [4, 1, 2]])


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize(
    ("make", "x", "kwargs"),
    [
        (lambda: Embedding(5, 4, padding_idx=1), IDS, {}),
        (lambda: LearnedPositions(6, 4), draw(2, 3, 4), {"offset": 2}),
        (lambda: LearnedPositions(6, 4), draw(2, 3, 4), {"positions": IDS}),
        (lambda: SinusoidalPositions(6, 4), draw(2, 3, 4), {"offset": 2}),
        (lambda: RotaryEmbedding(4), draw(2, 3, 4), {"offset": 2}),
        (lambda: RotaryEmbedding(4, layout="interleaved"), draw(2, 2, 3, 4), {"positions": IDS}),
    ],
)
def test_by_hand_is_by_tape(make, x, kwargs):
    layer = make().double()
    floating = x.dtype.kind == "f"
    taped = from_numpy(x.copy()).requires_grad_(floating)
    y = layer(taped, **kwargs)
    grad = draw(*y.shape, seed=1)
    y.backward(grad)
    found = [p.grad.numpy().copy() for p in layer.parameters()] + ([taped.grad.numpy()] if floating else [])
    layer.zero_grad()
    with tt_autograd.no_grad():
        layer(Tensor(x), **kwargs)
    dx = layer.backward(grad)
    wanted = [p.grad.numpy() for p in layer.parameters()] + ([dx.numpy()] if floating else [])
    assert found
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_shared_table_gets_the_gradients_of_both_uses():
    table, head = Embedding(5, 3).double(), Linear(3, 5, bias=False).double()
    head.weight = table.weight

    def logits(weight):
        return (embedding(IDS, weight) ** 2) @ weight.T

    np.testing.assert_allclose(head(table(IDS) ** 2), logits(table.weight))
    for check in (gradcheck_report, gradgradcheck_report):
        report = check(logits, (from_numpy(draw(5, 3)).requires_grad_(),))
        assert report.ok, report
    (head(table(IDS) ** 2) * 2).sum().backward()
    weight = from_numpy(table.weight.numpy().copy()).requires_grad_()
    (logits(weight) * 2).sum().backward()
    np.testing.assert_allclose(table.weight.grad, weight.grad)


def test_padding_gets_no_gradient_at_any_order():
    weight = from_numpy(draw(5, 3)).requires_grad_()
    grads = [(embedding(IDS, weight, padding_idx=2) ** 4).sum()]
    for _ in range(3):
        (g,) = tt_autograd.grad(grads[-1].sum(), [weight], create_graph=True)
        grads.append(g)
    counts = np.array([1, 1, 0, 0, 1])[:, None]  # how often each row was read, but for the padding
    w = weight.numpy()
    for g, wanted in zip(grads[1:], (4 * w**3, 12 * w**2, 24 * w), strict=True):
        np.testing.assert_allclose(g, counts * wanted, atol=1e-12)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags_of_embeddings_have_their_gradients(mode):
    def bags(weight, scales):
        return embedding_bag(
            IDS.reshape(-1),
            weight,
            [0, 2, 2, 5],
            mode=mode,
            padding_idx=1,
            per_sample_weights=scales if mode == "sum" else None,
        )

    weight, scales = (from_numpy(draw(*shape)).requires_grad_(True) for shape in ((5, 3), (6,)))
    inputs = (weight, scales) if mode == "sum" else (weight,)
    function = bags if mode == "sum" else (lambda weight: bags(weight, None))
    assert gradcheck_report(function, inputs).ok
    assert gradgradcheck_report(function, inputs).ok
