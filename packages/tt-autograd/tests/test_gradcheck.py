"""gradcheck finds what is wrong with a gradient, says what, finds nothing else, and leaves everything as it was."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_autograd
import tt_tensor
from tt_autograd.errors import GradcheckError
from tt_autograd.gradcheck import gradcheck, gradcheck_report, gradgradcheck, gradgradcheck_report
from tt_tensor import Function, Tensor
from tt_tensor.errors import ArgumentError, DTypeError, GradientError, ShapeError
from tt_tensor.testing import sample


def leaf(*shape, seed=0):
    return Tensor(sample(shape, seed), requires_grad=True)


A = sample((4, 3), 7)


# --- what is right ----------------------------------------------------------------------------------------


def test_both_jacobians_are_those_of_the_formula():
    x, b = leaf(3), leaf(4, seed=1)
    report = gradcheck_report(lambda x, b: (Tensor(A) @ x + b, (x * x).sum()), (x, b))
    assert report.ok and len(report.comparisons) == 4
    wanted = {
        (0, 0): A, (0, 1): np.eye(4), (1, 0): 2 * x.numpy(), (1, 1): np.zeros(4),
    }  # fmt: skip
    for c in report.comparisons:
        for jacobian in (c.analytic, c.numeric):
            assert jacobian.shape == c.output.shape + c.input.shape
            np.testing.assert_allclose(jacobian, wanted[c.output.index, c.input.index], atol=1e-8)


RIGHT = [
    (lambda x: x.sum(), (leaf(),)),
    (lambda x: x.tanh(), (leaf(0, 3),)),
    (lambda x, y: x @ y, (leaf(2, 3), leaf(3, 2, seed=1))),
    (lambda x, y: x * y, (leaf(2, 3), Tensor(sample((3,))))),
    (lambda x, k, s: x**k * s, (leaf(3), 3, 2.5)),
    (lambda x: x, (leaf(2, 2),)),
    (lambda x: x.T, (leaf(2, 3),)),
    (lambda x: [x.sort(), x.argsort()], (leaf(5),)),
    (lambda x: (x.argmax(), x.exp()), (leaf(5),)),
    (lambda x, i: x[i], (leaf(5), Tensor([0, 0, 3]))),
    (lambda x, unused: x * 2, (leaf(3), leaf(2, seed=1))),
    (lambda x: (x * 1e-9).sin() * 1e9, (leaf(3),)),
]


@pytest.mark.parametrize("case", RIGHT)
@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
def test_right_gradients_pass(check, case, fast):
    func, inputs = case
    assert check(func, inputs, fast_mode=fast) is True


def test_an_operand_that_is_used_twice_is_moved_in_both_places():
    x = leaf(3, 3)
    assert gradcheck(lambda x, y: x @ y, (x, x))
    assert gradgradcheck(lambda x, y: x @ y, (x, x))


def test_inputs_may_be_results():
    base = leaf(3)
    doubled = base * 2  # a result, and one of what the other depends on: each is moved with the other held
    assert gradcheck(lambda x, y: x * y, (base, doubled))
    assert gradgradcheck(lambda x, y: x * y * y, (base, base.tanh()))


def test_a_tensor_that_func_reaches_by_itself_is_moved_too():
    w = leaf(3, 2)
    x = Tensor(sample((4, 3), 1))
    report = gradcheck_report(lambda _: x @ w, w)
    assert report.ok and np.abs(report.comparisons[0].numeric).max() > 1


def test_a_function_stands_for_its_application():
    class Cube(Function):
        def __init__(self, factor=1.0):
            self.factor = factor

        def forward(self, x):
            self.x = x
            return self.factor * x**3

        def backward(self, grad):
            return grad * self.factor * 3 * self.x**2

    assert gradcheck(Cube, leaf(3)) and gradgradcheck(Cube, leaf(3))
    assert gradcheck(Cube(2.0), leaf(3)) and gradgradcheck(Cube(2.0), leaf(3))


def test_a_second_derivative_that_is_zero_is_right():
    report = gradgradcheck_report(lambda x: abs(x) * 3 + x.sum(), Tensor([1.0, -2.0], np.float64, True))
    assert report.ok
    second = [c for c in report.comparisons if c.input.name == "input 0"]
    assert len(second) == 1 and not second[0].analytic.any() and not second[0].numeric.any()


@pytest.mark.parametrize("mode", [tt_autograd.no_grad, tt_autograd.inference_mode])
def test_it_records_whatever_holds_outside(mode):
    with mode():
        assert gradcheck(lambda x: x.tanh(), leaf(3))
        assert gradgradcheck(lambda x: x.tanh(), leaf(3))


# --- what is wrong ----------------------------------------------------------------------------------------


class Square(Function):
    def forward(self, x):
        self.x = x
        return x * x


def wrong(rule):
    return type("Wrong", (Square,), {"backward": rule})


class Flip(Function):
    """The transpose, with a rule that forgets to."""

    def forward(self, x):
        return x.T

    def backward(self, grad):
        return grad


class Apply(Function):
    """A x, with A where its transpose belongs."""

    def forward(self, x):
        return A[:3] @ x

    def backward(self, grad):
        return A[:3] @ grad


class Pick(Function):
    """x[[0, 0, 1]] with a rule that keeps one of two gradients."""

    def forward(self, x):
        self.shape = x.shape
        return x[[0, 0, 1]] * np.array([1.0, 2.0, 3.0])

    def backward(self, grad):
        out = np.zeros(self.shape)
        out[[0, 0, 1]] = grad * np.array([1.0, 2.0, 3.0])
        return out


class Spread(Function):
    def forward(self, x):
        self.n = x.size
        return x[:1] * 2

    def backward(self, grad):
        return np.repeat(grad * 2, self.n)


class SoftmaxWithoutTheSum(Function):
    def forward(self, x):
        e = np.exp(x - x.max())
        self.y = e / e.sum()
        return self.y

    def backward(self, grad):
        return grad * self.y


class Total(Function):
    def forward(self, x):
        self.shape = x.shape
        return np.asarray(x.sum())

    def backward(self, grad):
        return np.broadcast_to(grad / np.prod(self.shape), self.shape)


class Average(Total):
    def forward(self, x):
        self.shape = x.shape
        return np.asarray(x.mean())

    def backward(self, grad):
        return np.broadcast_to(grad, self.shape)


class Constant(Square):
    def forward(self, x):
        return np.sign(x)

    def backward(self, grad):
        return grad


LOOKS = [
    (wrong(lambda self, g: g * self.x), leaf(3), "0.5 times the derivative"),
    (wrong(lambda self, g: -2 * g * self.x), leaf(3), "sign is wrong"),
    (wrong(lambda self, g: 0 * g), leaf(3), "gradient is zero, though output 0 changes with input 0"),
    (wrong(lambda self, g: None), leaf(3), "no gradient reaches input 0"),
    (wrong(lambda self, g: 2 * self.x + 0 * g), leaf(3), "does not use the gradient that it is given"),
    (wrong(lambda self, g: g * self.x / 0 * 0), leaf(3), "a rule gives NaN"),
    (Flip, leaf(3, 3), "the gradient of input 0 is transposed"),
    (Apply, leaf(3), "the Jacobian stands where its transpose belongs"),
    (Pick, leaf(2), "a share is lost"),
    (Spread, leaf(3), "goes to entries, too, on which the output does not depend"),
    (SoftmaxWithoutTheSum, leaf(4), "a sum over them is missing"),
    (Total, leaf(2, 3), "6 is also a number of elements: a mean where a sum belongs?"),
    (Average, leaf(2, 3), "6 is also a number of elements: a sum where a mean belongs?"),
    (Constant, leaf(3), "output 0 does not change with input 0"),
    (lambda x: Tensor(x.numpy() ** 2), leaf(3), "no gradient reaches input 0"),
    (lambda x: x * x.detach(), leaf(3), "0.5 times"),
    (lambda x: tt_tensor.maximum(x, 0), Tensor([1.0, 0.1e-6], np.float64, True), "kink or a jump"),
    (lambda x: (x > 0).astype("float64") + x, Tensor([1.0, 0.0], np.float64, True), "kink or a jump"),
    (lambda x: x.sqrt(), Tensor([1.0, 0.0], np.float64, True), "no finite values"),
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("func", "x", "hint"), LOOKS)
@pytest.mark.parametrize("fast", [False, True])
def test_a_wrong_gradient_is_found_and_named(func, x, hint, fast):
    with pytest.raises(GradcheckError, match="input 0") as error:
        gradcheck(func, x, fast_mode=fast)
    assert hint in str(error.value)
    report = error.value.report
    assert str(report) == str(error.value) and not report.ok and report.worst.hint in str(error.value)
    assert gradcheck(func, x, fast_mode=fast, raise_exception=False) is False


def forget(self, g):
    x, self.x = self.x, self.x * 0.5
    return 2 * g * x


def write(self, g):
    g *= 2 * self.x
    return g


def write_into_the_input(self, g):
    self.x += 1e-9
    return 2 * g * self.x


def overwrite(self, g):
    Tensor.write(self.inputs[0], self.x)
    return 2 * g * self.x


class Noisy(Square):
    rng = np.random.default_rng(0)

    def forward(self, x):
        return super().forward(x) + self.rng.normal()


class Mutates(Square):
    def forward(self, x):
        x += 1e-9
        return super().forward(x)


class Growing(Square):
    size = 3

    def forward(self, x):
        type(self).size += 1
        return np.repeat(x[:1], self.size)


OTHERWISE = [
    (wrong(forget), "a rule may not change what forward saved"),
    (wrong(write), "wrote into the gradient it was given"),
    (wrong(write_into_the_input), r"a rule wrote into input 0 \(3,\)"),
    (wrong(lambda self, g: 2 * self.x * np.abs(g)), "is not linear in the gradient at output 0"),
    (wrong(lambda self, g: 2 * self.x), "is not linear in the gradient at output 0"),
    (
        wrong(lambda self, g: (2 * self.x * g).astype(np.float32)),
        "gives float32 for input 0, which is float64",
    ),
    (wrong(lambda self, g: (g > 0).astype(int)), "gives int64 for input 0"),
    (wrong(lambda self, g: np.sum(g)), "the way back raised ShapeError"),
    (wrong(lambda self, g: (g, g)), "gave 2 gradients for 1 inputs"),
    (wrong(overwrite), "the way back raised InPlaceError"),
    (Square, "Wrong|Square has no backward"),
    (Noisy, "differs by .* when it is computed again"),
    (Mutates, r"the function wrote into input 0 \(3,\)"),
    (Growing, "shapes .* when they are computed again"),
]


@pytest.mark.parametrize(("func", "said"), OTHERWISE)
@pytest.mark.parametrize("fast", [False, True])
def test_what_is_wrong_beside_numbers_is_said(func, said, fast):
    x = leaf(3)
    before = x.numpy().copy()
    with pytest.raises(GradcheckError, match=said):
        gradcheck(func, x, fast_mode=fast)
    assert x.numpy().tobytes() == before.tobytes()


def test_the_error_of_a_rule_is_the_cause():
    with pytest.raises(GradcheckError) as error:
        gradcheck(wrong(lambda self, g: np.sum(g)), leaf(3))
    assert isinstance(error.value.__cause__, ShapeError) and error.value.report.cause is error.value.__cause__


def test_the_report_shows_the_worst_entry():
    class Off(Square):
        def backward(self, grad):
            slope = 2 * self.x
            slope[1, 2] += 0.25
            slope[0, 1] -= 0.125
            return grad * slope

    x = Tensor(np.arange(1.0, 7.0).reshape(2, 3), requires_grad=True)
    with pytest.raises(GradcheckError) as error:
        gradcheck(lambda y, x: (x.sum(), Off()(x) + y), (Tensor(0.0, np.float64, True), x))
    report = error.value.report
    assert [(c.output.index, c.input.index) for c in report.wrong] == [(1, 1)]
    assert report.worst.worst == ((1, 2), (1, 2)) and report.worst.off.sum() == 2
    lines = str(error.value).splitlines()
    assert lines[0] == "gradcheck: the gradient is not the derivative"
    assert lines[1] == "input 1 (2, 3) float64 → output 1 (2, 3) float64: 2 of 36 entries are off"
    assert lines[2] == "  worst: ∂output 1[1, 2] / ∂input 1[1, 2]"
    assert lines[3].split()[-1] == "12.25"
    assert float(lines[4].split("(eps")[0].split()[-1]) == pytest.approx(12.0, rel=1e-6)
    assert lines[5].startswith("    absolute error 0.25, relative 0.0208; allowed 1e-05 + 0.001 ·")


@given(
    st.floats(-4, 4),
    st.floats(0.1, 10),
    st.integers(0, 2),
    st.sampled_from([(1e-5, 1e-3), (1e-3, 0.0), (0.0, 0.1)]),
)
def test_what_is_off_is_told_by_the_tolerances(power, slope, place, tolerances):
    """A gradient that is off by half of atol + rtol · |derivative| passes, by twice that it does not."""
    atol, rtol = tolerances
    allowed = atol + rtol * slope
    for share, right in ((0.5, True), (2.0, False)):
        error = np.zeros(3)
        error[place] = share * allowed * np.sign(power or 1)

        class Line(Function):
            def forward(self, x):
                return slope * x

            def backward(self, grad, error=error):
                return grad * (slope + error)

        assert gradcheck(Line, leaf(3), atol=atol, rtol=rtol, raise_exception=False) is right


# --- second order -----------------------------------------------------------------------------------------


class Composed(Function):
    """x³ by a fast rule, which does not work on Tensors, and a composite."""

    def forward(self, x):
        self.x = np.asarray(x)
        return self.x**3

    def backward(self, grad):
        return np.asarray(grad) * 3 * self.x**2

    @staticmethod
    def composite(x):
        return x * x * x


def composed(composite):
    return type("Composed", (Composed,), {"composite": staticmethod(composite)})


def test_a_composite_is_held_against_its_rule():
    assert gradgradcheck(Composed, leaf(3))
    # The first derivative differs,
    with pytest.raises(GradcheckError, match=r"differs by .* with create_graph=True"):
        gradgradcheck(composed(lambda x: x * x * x * 1.001), leaf(3))
    # or only the second does.
    with pytest.raises(GradcheckError, match=r"gradient at input 0.*entries are off"):
        gradgradcheck(composed(lambda x: x * 3 * (x * x).detach() - 2 * (x * x * x).detach()), leaf(3))


def test_a_rule_that_is_no_function_of_tensors_is_found():
    class Saved(Square):
        def backward(self, grad):
            return grad * 2 * np.asarray(self.x)  # an array has no history

    assert gradcheck(Saved, leaf(3))
    with pytest.raises(GradcheckError, match="no gradient reaches input 0"):
        gradgradcheck(Saved, leaf(3))


def test_names_say_which_gradient():
    report = gradgradcheck_report(lambda k, x, y: (x * y, x.exp()), (2.0, leaf(2), leaf(2, seed=1)))
    assert [c.output.name for c in report.comparisons[:2]] == ["gradient at input 1", "gradient at input 2"]
    inputs = dict.fromkeys(c.input.name for c in report.comparisons)
    assert list(inputs) == ["input 1", "input 2", "gradient at output 0", "gradient at output 1"]


def test_gradients_may_be_given():
    g = Tensor([1.0, 0.0], np.float64)
    report = gradgradcheck_report(lambda x: x**3, leaf(2), g)
    (c,) = report.comparisons  # g is a constant
    assert report.ok and c.analytic[1, 1] == 0 and c.analytic[0, 0] != 0
    with pytest.raises(ArgumentError, match="grad_outputs"):
        gradgradcheck(lambda x: x**3, leaf(2), Tensor([1.0], np.float64))
    seen = []

    class Sees(Square):
        def backward(self, grad):
            seen.append(grad.array.strides if isinstance(grad, Tensor) else grad.strides)
            return grad * 2 * self.x

    assert gradgradcheck(Sees, leaf(2, 3), gen_non_contig_grad_outputs=True)
    assert (48, 16) in seen


def test_what_has_no_gradient_has_no_second_one():
    with pytest.raises(GradientError, match="no output of func has a gradient"):
        gradgradcheck(lambda x: Tensor(x.numpy()), leaf(2))


# --- fast mode --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [10, 1000])
def test_fast_mode_takes_a_few_calls(size):
    calls = []

    def func(x, y):
        calls.append(0)
        return (x * y).tanh(), x.sum()

    assert gradcheck(func, (leaf(size), leaf(size, seed=1)), fast_mode=True)
    assert len(calls) == 2 + 2 * 2


# --- what stays as it was ---------------------------------------------------------------------------------


def state(*tensors):
    return [(x.numpy().tobytes(), x.version, x.requires_grad, x.grad, x.is_leaf) for x in tensors]


@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
@pytest.mark.parametrize("fast", [False, True])
def test_inputs_and_gradients_stay(check, fast):
    x, y = leaf(2, 3), leaf(3, seed=1)
    result = x * 2
    result.retain_grad()
    x.grad = Tensor(sample((2, 3), 5))
    constant = Tensor(np.zeros(3))
    before = state(x, y, result, constant)

    def func(x, y, result, constant):
        constant.write(constant.numpy() + 1)  # a running mean, say
        return x * y + result

    assert check(func, (x, y, result, constant), fast_mode=fast)
    after = state(x, y, result, constant)
    assert [a[0] for a in after] == [b[0] for b in before]
    assert [a[2:] for a in after[:3]] == [b[2:] for b in before[:3]]
    assert [x.grad is None for x in (x, y, result)] == [False, True, True]


@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
@pytest.mark.parametrize("stop", range(1, 30, 3))
def test_inputs_stay_when_func_raises_in_the_middle(check, stop):
    x, y = leaf(3), leaf(3, seed=1)
    before = state(x, y)
    calls = []

    def func(x, y):
        calls.append(0)
        if len(calls) == min(stop, 14):
            raise KeyboardInterrupt
        return x * y

    with pytest.raises(KeyboardInterrupt):
        check(func, (x, y))
    assert state(x, y) == before


def test_inputs_stay_when_a_rule_raises():
    class Raises(Square):
        def backward(self, grad):
            raise KeyError("a bug of its own")

    x = leaf(3)
    before = state(x)
    with pytest.raises(KeyError):
        gradcheck(Raises, x, raise_exception=False)
    assert state(x) == before


def test_the_global_random_state_stays():
    tt_tensor.manual_seed(0)
    first = tt_tensor.randn(3).tolist()
    tt_tensor.manual_seed(0)
    assert gradcheck(lambda x: x.tanh(), leaf(3)) and gradgradcheck(
        lambda x: x.tanh(), leaf(3), fast_mode=True
    )
    assert tt_tensor.randn(3).tolist() == first


# --- what cannot be checked -------------------------------------------------------------------------------


@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
def test_float32_hides_a_difference(check):
    x = Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(DTypeError, match=r"input 0 \(2,\) float32.*\.double\(\)"):
        check(lambda x: x.tanh(), x, raise_exception=False)
    assert check(lambda x: x.tanh(), x, eps=1e-2, atol=1e-3, rtol=1e-2)
    with pytest.raises(DTypeError, match="float32"):
        check(lambda x: x.astype(np.float32).tanh(), leaf(2))


@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
def test_bad_calls(check):
    with pytest.raises(ArgumentError, match="no input requires a gradient"):
        check(lambda x: x, Tensor([1.0]))
    with pytest.raises(ArgumentError, match="no input requires a gradient"):
        check(lambda: 1, ())
    with pytest.raises(DTypeError, match="func is a function of the inputs"):
        check(3, leaf(2))
    with pytest.raises(DTypeError, match="returns a Tensor or several, not ndarray"):
        check(lambda x: x.numpy(), leaf(2))
    for options in ({"eps": 0.0}, {"eps": -1e-6}, {"atol": -1.0}, {"rtol": np.nan}):
        with pytest.raises(ArgumentError, match=next(iter(options))):
            check(lambda x: x, leaf(2), **options)


def test_what_cannot_be_moved_alone():
    wide = tt_tensor.from_numpy(np.broadcast_to(sample((3,)), (2, 3))).requires_grad_()
    with pytest.raises(ArgumentError, match="clone"):
        gradcheck(lambda x: x * 2, wide)
    x = leaf(2, 3)
    with pytest.raises(ArgumentError, match=r"input 0 .* and input 1 .* same memory"):
        gradcheck(lambda x, y: x @ y, (x, x.T))
