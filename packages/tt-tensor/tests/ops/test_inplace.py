"""In-place methods: the operation of the same name, in the same memory, counted, seen by the recorder."""

import numpy as np
import pytest

import tt_tensor as tt
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, InPlaceError, ShapeError
from tt_tensor.ops.inplace import InPlaceMethods, Overwrite

UNARY = [
    "neg_", "abs_", "sign_", "square_", "reciprocal_", "sqrt_", "rsqrt_", "exp_", "expm1_", "log_", "log2_", "log10_",
    "log1p_", "sin_", "cos_", "tanh_", "sigmoid_", "erf_", "floor_", "ceil_", "round_", "trunc_",
]  # fmt: skip
BINARY = ["add_", "sub_", "mul_", "div_", "pow_", "floor_divide_", "remainder_"]


def check(x, name, args, wanted):
    array, version = x.array, x.version
    assert getattr(x, name)(*args) is x
    assert x.array is array
    assert x.version == version + 1
    np.testing.assert_array_equal(x.numpy(), wanted, strict=True)


@pytest.mark.parametrize("name", UNARY)
def test_unary(name):
    x = Tensor([0.25, 1.5, 2.75])
    check(x, name, (), getattr(tt, name[:-1])(x).numpy())
    assert getattr(Tensor, name).__doc__


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("other", [2, 1.5, [2.0, 3.0, 4.0], Tensor([2.0])])
def test_binary(name, other):
    x = Tensor([[0.25, 1.5, 2.75], [4.0, 5.0, 6.0]])
    check(x, name, (other,), getattr(tt, name[:-1])(x, other).numpy().astype(np.float32))


def test_every_method_is_checked():
    rest = {
        "clip_", "clamp_", "clamp_min_", "clamp_max_", "copy_", "fill_", "fill_diagonal_", "zero_", "uniform_",
        "normal_", "bernoulli_", "exponential_", "addcmul_", "addcdiv_", "lerp_", "relu_",
    }  # fmt: skip
    assert {name for name in vars(InPlaceMethods) if not name.startswith("_")} == rest.union(UNARY, BINARY)


def test_alpha():
    check(Tensor([1.0, 2.0]), "add_", (Tensor([1.0, 1.0]),), np.float32([2, 3]))
    assert Tensor([1.0, 2.0]).add_([1.0, 3.0], alpha=-0.5).tolist() == [0.5, 0.5]
    assert Tensor([1.0, 2.0]).sub_(1.0, alpha=2).tolist() == [-1, 0]


def test_clip():
    for name in ("clip_", "clamp_"):
        check(Tensor([-2.0, 0.0, 2.0]), name, (-1, 1), np.float32([-1, 0, 1]))
        check(Tensor([-2.0, 0.0, 2.0]), name, (Tensor([0.0, 1.0, 2.0]),), np.float32([0, 1, 2]))
    assert Tensor([-2.0, 2.0]).clip_(max=0).tolist() == [-2, 0]
    with pytest.raises(ArgumentError):
        Tensor([1.0]).clip_()


def test_a_step_of_adam_in_pytorchs_words():
    p, m, v, g = (
        Tensor(np.random.default_rng(i).uniform(0.5, 1, (2, 3)).astype("float32")) for i in range(4)
    )
    check(m, "lerp_", (g, 0.25), m.numpy() + np.float32(0.25) * (g.numpy() - m.numpy()))
    wanted = p.numpy() - 0.1 * (m.numpy() / v.numpy())
    array = p.array
    assert p.addcdiv_(m, v, value=-0.1) is p and p.array is array
    np.testing.assert_allclose(p.numpy(), wanted, 1e-6)
    wanted = v.numpy() * 0.9 + 0.1 * g.numpy() ** 2
    v.mul_(0.9).addcmul_(g, g, value=0.1)
    np.testing.assert_allclose(v.numpy(), wanted, 1e-6)
    assert p.dtype == v.dtype == np.float32


def test_coins_and_waiting_times():
    x = tt.zeros(1000, dtype="float64")
    array = x.array
    generator = tt.Generator().manual_seed(0)
    assert x.bernoulli_(0.25, generator=generator) is x and x.array is array
    assert set(x.tolist()) == {0.0, 1.0} and 0.18 < x.mean().item() < 0.32
    assert tt.zeros(2, dtype="int64").bernoulli_(Tensor([0.0, 1.0])).tolist() == [0, 1]
    x.exponential_(4, generator=generator)
    assert x.min().item() >= 0 and 0.2 < x.mean().item() < 0.3 and np.isfinite(x.numpy()).all()
    assert Tensor([0.0, 1.0]).bernoulli().tolist() == [0.0, 1.0]
    assert Tensor([0.0, 2.0]).multinomial(3, replacement=True).tolist() == [1, 1, 1]
    with pytest.raises(ArgumentError, match="lambd"):
        x.exponential_(0)


def test_relu_and_one_bound():
    check(Tensor([-2.0, -0.0, 3.0, np.nan]), "relu_", (), np.float32([0, 0, 3, np.nan]))
    check(Tensor([-2, 3]), "relu_", (), np.array([0, 3]))
    check(Tensor([-2.0, 3.0]), "clamp_min_", (0,), np.float32([0, 3]))
    check(Tensor([-2.0, 3.0]), "clamp_max_", (0,), np.float32([-2, 0]))


def test_division_that_rounds():
    check(Tensor([7.0, -7.0]), "div_", (2,), np.float32([3.5, -3.5]))
    assert Tensor([7, -7]).div_(2, rounding_mode="floor").tolist() == [3, -4]
    assert Tensor([7.0, -7.0]).div_(2, rounding_mode="trunc").tolist() == [3.0, -3.0]


def test_the_diagonal():
    check(Tensor(np.zeros((2, 3), "float32")), "fill_diagonal_", (1,), np.eye(2, 3, dtype="float32"))
    assert tt.zeros(3, 2).fill_diagonal_(2.0).tolist() == [[2, 0], [0, 2], [0, 0]]
    assert tt.zeros(2, 2, 2).fill_diagonal_(1).sum().item() == 2
    for shape in ((3,), (), (2, 3, 2)):
        with pytest.raises(ShapeError, match="diagonal"):
            tt.zeros(shape).fill_diagonal_(0)


def test_fill_zero_copy():
    check(Tensor([[1.0, 2.0]]), "fill_", (2.5,), np.float32([[2.5, 2.5]]))
    check(Tensor([1, 2]), "fill_", (7,), np.array([7, 7]))
    check(Tensor([1, 2]), "fill_", (7.0,), np.array([7, 7]))
    check(Tensor([1, 2]), "copy_", (True,), np.array([1, 1]))
    check(Tensor([True, False]), "fill_", (1,), np.array([True, True]))
    check(Tensor([True, False]), "zero_", (), np.array([False, False]))
    check(Tensor([[1.0, 2.0], [3.0, 4.0]]), "copy_", ([5, 6],), np.float32([[5, 6], [5, 6]]))
    check(Tensor(np.zeros(2)), "copy_", (Tensor([0.5, 1.5]),), np.array([0.5, 1.5]))
    x = Tensor([1.0, 2.0, 3.0])
    x.copy_(x[::-1])  # overlapping memory
    assert x.tolist() == [3, 2, 1]
    view = x.reshape(3, 1)
    view.zero_()
    assert x.tolist() == [0, 0, 0]
    assert x.version == view.version


def test_errors_leave_the_values_alone():
    x, n = Tensor([1.0, 2.0]), Tensor([1, 2])
    for call, error in [
        (lambda: x.add_(np.ones((2, 2))), ShapeError),
        (lambda: x.copy_(np.ones(3)), ShapeError),
        (lambda: x.fill_([1.0, 2.0, 3.0]), ShapeError),
        (lambda: x.mul_("a"), DTypeError),
        (lambda: x.add_(None), DTypeError),
        (lambda: n.fill_(1.5), DTypeError),
        (lambda: n.fill_(np.inf), DTypeError),
        (lambda: n.fill_(1e300), DTypeError),
        (lambda: Tensor([True]).fill_(2), DTypeError),
        (lambda: n.copy_([0.5, 0.5]), DTypeError),
        (lambda: n.exp_(), DTypeError),
        (lambda: n.div_(2), DTypeError),
        (lambda: Tensor(np.zeros(2, np.uint8)).fill_(300), ArgumentError),
        (lambda: tt.broadcast_to(x, (3, 2)).zero_(), InPlaceError),
    ]:
        with pytest.raises(error):
            call()
    assert x.tolist() == [1, 2]
    assert n.tolist() == [1, 2]


def test_the_rule_of_a_recorded_write_sees_the_value_from_before(tape):
    def run(x, y):
        z = x * 1
        z.mul_(y)
        z.exp_()
        return z

    x, y = Tensor([0.5, 2.0]), Tensor([3.0, 0.25])
    value, (dx, dy) = tape.gradients(run, (x, y), np.ones(2, np.float32))
    e = np.exp(x.numpy() * y.numpy())
    np.testing.assert_allclose(value.numpy(), e, 1e-6)
    assert x.tolist() == [0.5, 2.0]
    assert [type(function).__name__ for function, _, _ in tape.steps] == ["Mul", "Mul", "Exp"]
    del (
        dx,
        dy,
    )  # this small tape follows one value for each tensor; gradients through writes are tt-autograd's


def test_overwrite_cuts_what_was_there():
    function = Overwrite()
    function(Tensor([1.0, 2.0]), Tensor([5.0]))
    dx, dv = function.gradients(np.array([1.0, 4.0], np.float32))
    assert (dx.tolist(), dv.tolist()) == ([0, 0], [5])


@pytest.mark.parametrize("name", ["uniform", "normal"])
def test_random_numbers_in_place_are_those_of_the_function(name):
    x = tt.zeros(3, 4)[:, ::2]
    wanted = getattr(tt, name)(0.5, 2.0, (3, 2), generator=tt.Generator(7))
    assert getattr(x, name + "_")(0.5, 2.0, generator=tt.Generator(7)) is x and x.version == 1
    np.testing.assert_array_equal(x.numpy(), wanted.numpy())
    weight = tt.zeros(2, requires_grad=True)
    assert (getattr(weight.data, name + "_")() == weight).all() and (weight != 0).all()
    with pytest.raises(DTypeError, match=name):
        getattr(tt.zeros(2, dtype="int64"), name + "_")()
