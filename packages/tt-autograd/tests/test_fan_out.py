"""A value that is used more than once: its gradient is the sum over its uses, and each rule runs once."""

import numpy as np
import pytest

import tt_autograd
import tt_tensor as tt

SHAPE = (2, 3)


def values(shape=SHAPE, start=1):
    """Distinct, of both signs, away from 0."""
    steps = np.arange(start, start + int(np.prod(shape)))
    return (((steps * 5) % 13 - 6.5) / 4).reshape(shape)


def leaf(shape=SHAPE, start=1):
    return tt.tensor(values(shape, start), requires_grad=True)


class Counted(tt.Function):
    """y = 2x, and how often its rule ran, over all applications."""

    calls = 0

    def forward(self, x):
        return 2.0 * x

    def backward(self, grad):
        Counted.calls += 1
        return 2.0 * grad


@pytest.fixture
def calls():
    """How often Counted's rule has run since the test began."""
    Counted.calls = 0
    return lambda: Counted.calls


# --- the sum over uses ----------------------------------------------------------------------------------

MASK = np.array([[True, False, True], [False, True, False]])
TWICE = {
    "add": tt.add,
    "sub": tt.sub,
    "mul": tt.mul,
    "div": tt.div,
    "pow": lambda x, y: tt.abs(x) ** y,
    "remainder": lambda x, y: (x + 0.3) % y,
    "maximum": lambda x, y: tt.maximum(x, y * 0.5),
    "minimum": lambda x, y: tt.minimum(x, y * 0.5),
    "where": lambda x, y: tt.where(MASK, x, y),
    "clip": lambda x, y: tt.clip(x, y * 0.5, None),
    "matmul": lambda x, y: x @ y.T,
    "matmul of vectors": lambda x, y: x[0] @ y[1],
    "einsum": lambda x, y: tt.einsum("ij,kj->ik", x, y),
    "tensordot": lambda x, y: tt.tensordot(x, y, ((0, 1), (0, 1))),
    "outer": tt.outer,
    "concatenate": lambda x, y: tt.cat([x, y], 1),
    "stack": lambda x, y: tt.stack([x, y], 1),
    "scatter_add": lambda x, y: x.scatter_add([[0, 0, 1]], y, 0),
    "setitem": lambda x, y: written(x, y),
    "a view and the whole": lambda x, y: x[0] * y,
    "transposed and not": lambda x, y: x.T @ y,
    "broadcast and not": lambda x, y: x.sum(0) * y,
}


def written(x, y):
    z = x * 1.0
    z[0] = y[1]
    return z


@pytest.mark.parametrize("name", TWICE)
@pytest.mark.parametrize("kind", ["leaf", "result"])
def test_the_gradient_of_a_value_used_twice_is_the_sum_of_those_of_two_copies(name, kind):
    call = TWICE[name]
    x, a, b = leaf(), leaf(), leaf()
    once = [v if kind == "leaf" else v * 3.0 for v in (x, a, b)]
    y, z = call(once[0], once[0]), call(once[1], once[2])
    grad = values(y.shape, 4)
    y.backward(grad)
    z.backward(grad)
    np.testing.assert_allclose(x.grad.numpy(), a.grad.numpy() + b.grad.numpy(), 1e-13, strict=True)


def test_the_square_of_a_result():
    x = leaf()
    y = x * 3.0
    (y * y).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 18.0 * values(), 1e-14)


@pytest.mark.parametrize("k", [1, 2, 3, 10, 200])
def test_a_value_used_k_times(k, calls):
    x = leaf()
    y = Counted()(x)
    sum([y * float(n) for n in range(k)], 0.0 * y).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.full(SHAPE, 2.0 * k * (k - 1) / 2))
    assert calls() == 1


def test_one_leaf_as_every_operand_of_one_function():
    x = leaf()
    tt.stack([x] * 5).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), np.full(SHAPE, 5.0), strict=True)


def test_a_diamond():
    x = leaf()
    a = x * 2.0
    (a.sin() * a.cos()).sum().backward()  # sin 2a / 2
    np.testing.assert_allclose(x.grad.numpy(), 2.0 * np.cos(4.0 * values()), 1e-12)


def test_outputs_of_one_graph_and_the_leaf_itself():
    x = leaf()
    y = x * 2.0
    for output in (y, x, y.sum(), x[0]):
        output.backward(np.ones(output.shape), retain_graph=True)
    wanted = np.full(SHAPE, 2.0 + 1.0 + 2.0)
    wanted[0] += 1.0
    np.testing.assert_array_equal(x.grad.numpy(), wanted, strict=True)
    outputs = (y, x, y.sum(), x[0])
    (dx,) = tt_autograd.grad(outputs, x, [np.ones(output.shape) for output in outputs])
    np.testing.assert_array_equal(dx.numpy(), wanted, strict=True)


# --- repeated indices, views ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "index",
    [[0, 0], [2, 0, 2, 2], [-1, 2, -3], np.array([[0, 0], [1, 0]])],
    ids=["twice", "thrice", "from both ends", "a matrix"],
)
def test_repeated_indices_add_up(index):
    x = leaf((3, 2))
    y = x[index]
    grad = values(y.shape, 3)
    y.backward(grad)
    wanted = np.zeros((3, 2))
    for place in np.ndindex(np.shape(index)):
        wanted[np.array(index)[place]] += grad[place]
    np.testing.assert_allclose(x.grad.numpy(), wanted, 1e-14, strict=True)


def test_a_leaf_through_views_of_views_and_itself():
    x = leaf()
    flat, rows = x.reshape(6), x.T
    (
        flat[::2].sum() + 2.0 * rows[1].sum() + 3.0 * x.sum() + 4.0 * x[1][2] + 5.0 * x[:, ::-1][0][0]
    ).backward()
    wanted = np.full(SHAPE, 3.0)
    wanted.reshape(6)[::2] += 1.0
    wanted[:, 1] += 2.0
    wanted[1, 2] += 4.0
    wanted[0, 2] += 5.0
    np.testing.assert_array_equal(x.grad.numpy(), wanted, strict=True)


def test_rows_by_iteration_and_pieces_add_up():
    x = leaf()
    top, bottom = x
    left, right = x.split([1], axis=1)
    (top * bottom).sum().backward()
    (left.sum() * right.sum()).backward()
    v = values()
    wanted = v[::-1] + np.where(np.arange(3) == 0, v[:, 1:].sum(), v[:, :1].sum())
    np.testing.assert_allclose(x.grad.numpy(), wanted, 1e-13)


# --- in linear time -------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16, 64, 1024])
def test_a_residual_chain_runs_each_rule_once(depth, calls):
    x = leaf()
    y = x
    for _ in range(depth):
        y = y + 0.25 * Counted()(y)  # 2^depth paths
    y.sum().backward()
    assert calls() == depth
    np.testing.assert_allclose(x.grad.numpy(), np.full(SHAPE, 1.5**depth), 1e-12)


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 64, 1024])
def test_a_chain_of_diamonds_runs_each_rule_once(depth, calls):
    x = leaf()
    y, slope, v = x, 1.0, values()
    for _ in range(depth):
        z = Counted()(y)
        y = 0.25 * (z.sin() + z.cos())
        v, slope = 0.25 * (np.sin(2 * v) + np.cos(2 * v)), slope * 0.5 * (np.cos(2 * v) - np.sin(2 * v))
    y.sum().backward()
    assert calls() == depth
    np.testing.assert_allclose(x.grad.numpy(), slope, 1e-9, 1e-300)


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_every_earlier_value_feeds_the_next(depth, calls):
    """A dense chain: y_n = Σ 2 y_k over all k < n, so 3ⁿ⁻¹ · 2 in all."""
    y = [x := leaf()]
    for _ in range(depth):
        y.append(sum([Counted()(one) for one in y[1:]], Counted()(y[0])))
    y[-1].sum().backward()
    assert calls() == depth * (depth + 1) // 2
    np.testing.assert_allclose(x.grad.numpy(), np.full(SHAPE, 2.0 * 3.0 ** (depth - 1)))


def test_only_the_way_to_the_inputs_is_gone(calls):
    x, w = leaf(), leaf()
    y = Counted()(x) * Counted()(w)
    tt_autograd.grad(y.sum(), x)
    assert calls() == 1
