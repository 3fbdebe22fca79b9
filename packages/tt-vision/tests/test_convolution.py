"""Convolution's Functions: one trilinear form, the kernel by shape, dtypes, what is kept; rules are in rules/."""

import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_nn import Flatten, Linear, ReLU, Sequential, shards
from tt_tensor import Tensor, from_numpy, kernels, manual_seed
from tt_tensor.errors import DTypeError, InPlaceError, ShapeError
from tt_vision import convolution
from tt_vision.channels import channels_last
from tt_vision.conv import Conv2d
from tt_vision.conv_transpose import ConvTranspose2d
from tt_vision.convolution import ConvFunction, ConvTransposeFunction, ConvWeightFunction
from tt_vision.kernels import conv_blocked, conv_depthwise, conv_im2col, conv_winograd
from tt_vision.window import Window

SAME = Window((3, 3), (1, 1), ((1, 1), (1, 1)))


def stored(x):
    """x as a layer stores it: channels last."""
    return channels_last(x).transpose(0, 3, 1, 2)


def operands(rng, n=2, c=2, o=3, image=(5, 4), window=SAME, dtype=np.float64):
    """x, weight, and a gradient of what comes out."""
    shapes = (
        (n, c, *image),
        (o, c // window.groups, *window.size),
        (n, o, *window.output(image, "operands")),
    )
    return tuple(rng.normal(size=shape).astype(dtype) for shape in shapes)


def test_products_run_in_shards_from_the_first_convolution_on():
    """Not from the import on: a network without one is quicker with BLAS's own threads."""
    for made in (
        "Conv1d(1, 1, 1)",
        "ConvTranspose2d(1, 1, 1)",
        "functional.conv2d([[[[1.0]]]], [[[[1.0]]]])",
    ):
        source = (
            "import tt_vision as v, tt_vision.datasets; from tt_nn import shards; before = shards.preferred; "
            f"v.{made}; print(before, shards.preferred)"
        )
        run = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
        assert run.stdout.split() == ["False", "True"], made


few = st.integers(1, 3)
pads = st.tuples(st.integers(0, 2), st.integers(0, 2))


@settings(max_examples=60)
@given(
    st.tuples(few, few),
    st.tuples(few, few),
    st.tuples(pads, pads),
    st.tuples(few, few),
    few,
    st.integers(0, 3),
)
def test_three_views_of_one_form(size, stride, padding, dilation, groups, n):
    """T(x, w, g) is ⟨g, ∂T/∂g⟩ and ⟨x, ∂T/∂x⟩ and ⟨w, ∂T/∂w⟩."""
    window = Window(size, stride, padding, dilation, groups)
    x, w, g = operands(np.random.default_rng(n), n, groups, 2 * groups, (7, 8), window)
    y = ConvFunction(window)(x, w).numpy()
    form = np.vdot(y, g)
    assert y.shape == g.shape
    np.testing.assert_allclose(
        np.vdot(x, ConvTransposeFunction(window, (7, 8))(g, w).numpy()), form, atol=1e-10
    )
    np.testing.assert_allclose(np.vdot(w, ConvWeightFunction(window)(x, g).numpy()), form, atol=1e-10)


def test_rows_of_samples_are_images_of_height_one():
    rng = np.random.default_rng(0)
    x, w, b = rng.normal(size=(2, 4, 9)), rng.normal(size=(6, 2, 3)), rng.normal(size=6)
    one = ConvFunction(Window((1, 3), (1, 2), ((0, 0), (1, 2)), (1, 2), 2, dims=1))
    two = ConvFunction(Window((1, 3), (1, 2), ((0, 0), (1, 2)), (1, 2), 2))
    y, wanted = one(x, w, b), two(from_numpy(x[:, :, None]), from_numpy(w[:, :, None]), b)
    assert np.array_equal(y, wanted[:, :, 0])
    grad = rng.normal(size=y.shape)
    for found, true in zip(one.backward(grad), two.backward(grad[:, :, None]), strict=True):
        assert np.array_equal(found, true if true.ndim == 1 else true[:, :, 0])


def test_an_image_alone_is_a_batch_of_one():
    rng = np.random.default_rng(0)
    x, w, g = operands(rng, n=1)
    alone, batch = ConvFunction(SAME), ConvFunction(SAME)
    assert np.array_equal(alone(x[0], w), batch(x, w)[0])
    for found, true in zip(alone.backward(g[0]), batch.backward(g), strict=True):
        assert np.array_equal(found, true if found.shape == true.shape else true[0])


# --- kernels ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "window", "o", "kernel"),
    [
        (1, SAME, 8, conv_im2col),
        (40, SAME, 8, conv_winograd),
        (40, SAME, 4, conv_blocked),
        (40, replace(SAME, groups=8), 8, conv_depthwise),
        (40, replace(SAME, groups=8), 16, conv_blocked),
        (40, replace(SAME, groups=4), 8, conv_blocked),
    ],
)
def test_the_kernel_is_picked_by_shape(n, window, o, kernel, monkeypatch):
    used = []

    def spy(module, name):
        run = getattr(module, name)

        def noted(*given):
            used.append(module)
            return run(*given)

        monkeypatch.setattr(module, name, noted)

    for module in (conv_im2col, conv_blocked, conv_depthwise, conv_winograd):
        spy(module, "conv2d")
        spy(module, "conv2d_backward")
    x, w, g = operands(np.random.default_rng(0), n, 8, o, (16, 16), window, np.float32)
    function = ConvFunction(window)
    with kernels.use("numpy"):
        function(x, w)
        function.backward(g)
    assert used == [kernel, kernel]


def test_where_one_kernel_hands_over_to_the_next_both_give_the_same(monkeypatch):
    monkeypatch.setattr(convolution, "SMALL", 64 * 16 * 64)  # elements in the windows of 64 images
    rng = np.random.default_rng(0)
    w = rng.normal(size=(4, 4, 2, 2))
    x, g = rng.normal(size=(65, 4, 9, 9)), rng.normal(size=(65, 4, 8, 8))
    window, found = Window((2, 2)), []
    for n in (64, 65):
        function = ConvFunction(window)
        y = function(x[:n], w)
        found.append((y[:64].numpy(), function.backward(g[:n])[0][:64]))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["loops", "im2col", "blocked"])
def test_a_whole_network_runs_on_any_kernel(name):
    manual_seed(0)
    net = Sequential(
        Conv2d(2, 4, 3, stride=2, padding=1, padding_mode="reflect"),
        ReLU(),
        Conv2d(4, 4, (1, 2), groups=2, padding="same"),
        ConvTranspose2d(4, 3, 2, stride=2, output_padding=1),
        Flatten(),
        Linear(3 * 7 * 7, 2),
    ).double()
    rng = np.random.default_rng(0)
    x, g = rng.normal(size=(2, 2, 5, 6)), rng.normal(size=(2, 2))

    def step():
        net.zero_grad()
        y = net(x)
        dx = net.backward(g)
        return [y.numpy(), dx.numpy(), *(parameter.grad.numpy().copy() for parameter in net.parameters())]

    wanted = step()
    with kernels.use(name):
        found = step()
    assert len(found) == 2 + 8
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-12)


def test_the_table_names_the_kernels():
    for operation in ("conv2d", "conv2d_backward"):
        # Other wheels may have registered theirs, before or after.
        own = ["loops", "im2col", "blocked", "numpy"]
        assert [name for name in kernels.names(operation) if name in own] == own
        assert kernels.kernel(operation, "numpy") is getattr(convolution, operation)
        assert kernels.preferred() or kernels.kernel(operation) is kernels.kernel(operation, "numpy")


def test_two_threads_at_once():
    # Scratch memory is each thread's own, and the pool serves both.
    problems = [operands(np.random.default_rng(seed), 9, 8, 8, (9, 9)) for seed in range(2)]
    wanted = [ConvFunction(SAME)(x, w).numpy() for x, w, _ in problems]
    wrong = []

    def work(which):
        x, w, _ = problems[which]
        for _ in range(15):
            if not np.array_equal(ConvFunction(SAME)(x, w).numpy(), wanted[which]):
                wrong.append(which)

    with pytest.MonkeyPatch.context() as patch, shards.threads(2), kernels.use("blocked"):
        patch.setattr(conv_blocked, "WORTH", 1)
        patch.setattr(conv_blocked, "BLOCK", 1 << 14)
        both = [threading.Thread(target=work, args=(which,)) for which in range(2)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join(30)
    assert not wrong and not any(thread.is_alive() for thread in both)


# --- dtypes ----------------------------------------------------------------------------------------------

H, F, D = np.float16, np.float32, np.float64


@pytest.mark.parametrize("name", ["loops", "im2col", "blocked"])
@pytest.mark.parametrize(
    ("of_x", "of_w", "of_y"), [(H, H, H), (F, F, F), (D, D, D), (H, F, F), (F, D, D), (D, F, D), (D, H, D)]
)
def test_dtypes(name, of_x, of_w, of_y):
    x, w, g = operands(np.random.default_rng(0))
    b = np.array([1.0, -2.0, 3.0])
    whole, part = ConvFunction(SAME), ConvFunction(SAME)
    wanted, given = whole(x, w, b), [x.astype(of_x), w.astype(of_w), b.astype(of_w)]
    tolerance = {H: 2e-2, F: 1e-5, D: 1e-12}[min(of_x, of_w, key=lambda dtype: np.finfo(dtype).bits)]
    with kernels.use(name):
        y = part(*map(from_numpy, given))
        assert y.dtype == of_y
        np.testing.assert_allclose(y, wanted, rtol=tolerance, atol=tolerance)
        grads = part.gradients(g.astype(of_y))
    for found, true, array in zip(grads, whole.backward(g), given, strict=True):
        assert found.dtype == array.dtype
        np.testing.assert_allclose(found, true, rtol=tolerance, atol=10 * tolerance)


@pytest.mark.parametrize("make", [lambda: ConvFunction(SAME), lambda: ConvTransposeFunction(SAME, (5, 4))])
def test_a_narrower_gradient_does_not_take_the_rest_down(make):
    x, w, g = operands(np.random.default_rng(0), o=2)
    g = g.astype(F)
    function = make()
    function(from_numpy(x), from_numpy(w))
    for found, true in zip(function.gradients(g), function.gradients(g.astype(D)), strict=True):
        assert found.dtype == D and np.array_equal(found, true)


def test_a_bias_of_float16_is_summed_in_more():
    function = ConvFunction(Window((1, 1)))
    x, w, b = np.ones((3, 1, 64, 64), H), np.ones((1, 1, 1, 1), H), np.zeros(1, H)
    function(x, w, b)
    grad = np.repeat(np.array([100, -100, 0.25], H), 64 * 64).reshape(x.shape)
    assert function.backward(grad)[2].tolist() == [1024]  # half way, it is 409,600


# --- what is asked for, and what is kept -----------------------------------------------------------------


@pytest.mark.parametrize("needs", [(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)])
def test_what_is_not_wanted_is_not_computed(needs):
    x, w, g = operands(np.random.default_rng(0), o=2)
    for make in (lambda: ConvFunction(SAME), lambda: ConvTransposeFunction(SAME, (5, 4))):
        function = make()
        function(x, w, np.zeros(2))
        wanted = function.backward(g)
        function.needs = tuple(map(bool, needs))
        for found, true, need in zip(function.backward(g), wanted, needs, strict=True):
            assert (found is not None) == need
            assert not need or np.array_equal(found, true)


@pytest.mark.parametrize("needs", [(True, False), (False, True), (False, False)])
def test_nor_is_it_for_tensors(needs):
    x, w, g = map(from_numpy, operands(np.random.default_rng(0), o=2))
    for function, inputs, grad in (
        (ConvFunction(SAME), (x, w), g),
        (ConvTransposeFunction(SAME, (5, 4)), (g, w), x),
        (ConvWeightFunction(SAME), (x, g), w),
    ):
        function.forward(*inputs)
        function.inputs, function.needs = inputs, needs
        assert [found is not None for found in function.backward(grad)] == list(needs)
        function.forward(*(part.numpy() for part in inputs))
        assert [found is not None for found in function.backward(grad.numpy())] == list(needs)


@pytest.mark.parametrize("n", [2, 200])
@pytest.mark.parametrize("window", [SAME, Window((1, 1)), Window((2, 2), (2, 2)), Window((3, 3), groups=4)])
def test_nothing_is_kept_but_the_operands(n, window):
    x, w, g = operands(np.random.default_rng(0), n, 4, 4, (6, 6), window, F)
    x = stored(x)
    function = ConvFunction(window)
    y = function(from_numpy(x), from_numpy(w)).array
    kept = [value for value in vars(function).values() if isinstance(value, np.ndarray)]
    assert all(value is x or value is w for value in kept) and len(kept) == 2
    assert np.shares_memory(channels_last(function.x), x)
    # And what comes out is stored as the next layer wants it.
    assert np.shares_memory(channels_last(y), y)
    dx, dw = function.backward(stored(g))
    assert np.shares_memory(channels_last(dx), dx)
    assert not any(np.shares_memory(one, other) for one in (y, dx, dw) for other in (x, w, g))


def test_what_is_kept_may_not_be_overwritten():
    x, w, g = map(Tensor, operands(np.random.default_rng(0)))
    for written, name in ((x, "x"), (w, "weight")):
        function = ConvFunction(SAME)
        function(x, w)
        written.write(0.0)
        with pytest.raises(InPlaceError, match=f"ConvFunction needs its saved value `{name}`"):
            function.gradients(g.numpy())


def test_given_tensors_it_gives_tensors():
    x, w, g = map(from_numpy, operands(np.random.default_rng(0)))
    for function, inputs in (
        (ConvFunction(SAME), (x, w)),
        (ConvFunction(SAME), (x, w, from_numpy(np.ones(3)))),
        (ConvTransposeFunction(SAME, (5, 4)), (g, w)),
        (ConvWeightFunction(SAME), (x, g)),
    ):
        wanted = type(function)(*([SAME, (5, 4)] if inputs[0] is g else [SAME]))(*inputs)
        found = function.forward(*inputs)
        assert isinstance(found, Tensor) and np.array_equal(found, wanted)
        function.inputs = inputs
        assert all(isinstance(grad, Tensor) for grad in function.backward(wanted))


# --- wrong calls -----------------------------------------------------------------------------------------

X, W, G = (2, 2, 5, 4), (3, 2, 3, 3), (2, 3, 5, 4)
IN_TWO = Window((3, 3), (1, 1), ((1, 1), (1, 1)), groups=2)


@pytest.mark.parametrize(
    ("function", "shapes", "says"),
    [
        (
            ConvFunction(SAME),
            ((2, 3, 5, 4), W),
            r"\(2, 3, 5, 4\) has 3 channels.*\(3, 2, 3, 3\) in 1 groups takes 2",
        ),
        (ConvFunction(IN_TWO), (X, (4, 2, 3, 3)), r"2 channels.*in 2 groups takes 4"),
        (ConvFunction(IN_TWO), (X, (3, 1, 3, 3)), r"3 filters of the weight \(3, 1, 3, 3\).*2 groups"),
        (ConvFunction(SAME), (X, (3, 2, 3, 2)), r"\(3, 2, 3, 2\) is not of the kernel size \(3, 3\)"),
        (
            ConvFunction(SAME),
            (X, (3, 2, 3)),
            r"weight has shape \(3, 2, 3\); it must be \(O, C / groups, kh, kw\)",
        ),
        (
            ConvFunction(SAME),
            ((5, 4), W),
            r"input has shape \(5, 4\); it must be \(N, C, H, W\) or \(C, H, W\)",
        ),
        (ConvFunction(SAME), (X, W, (2,)), r"bias has shape \(2,\); \(3,\) is needed"),
        (ConvFunction(SAME), (X, W, (3, 1)), r"bias has shape \(3, 1\)"),
        (
            ConvFunction(Window((1, 3), dims=1)),
            (X, (3, 2, 3)),
            r"\(2, 2, 5, 4\); it must be \(N, C, L\) or \(C, L\)",
        ),
        (ConvFunction(Window((1, 3), dims=1)), ((2, 4), W), r"it must be \(O, C / groups, k\)"),
        (ConvFunction(Window((6, 3))), (X, (3, 2, 6, 3)), r"spans \(6, 3\) pixels, but the image \(5, 4\)"),
        (
            ConvTransposeFunction(SAME, (5, 4)),
            (X, W),
            r"\(2, 2, 5, 4\) has 2 channels.*\(3, 2, 3, 3\) takes 3",
        ),
        (
            ConvTransposeFunction(SAME, (5, 5)),
            (G, W),
            r"\(5, 5\) places in an image of \(5, 5\).*has \(5, 4\)",
        ),
        (ConvTransposeFunction(SAME, (5, 4)), (G, W, (3,)), r"bias has shape \(3,\); \(2,\) is needed"),
        (ConvTransposeFunction(IN_TWO, (5, 4)), (G, W), r"3 filters of the weight \(3, 2, 3, 3\).*2 groups"),
        (ConvWeightFunction(SAME), (X, (2, 3, 5, 5)), r"windows at \(5, 4\) places, but.*\(2, 3, 5, 5\)"),
        (ConvWeightFunction(SAME), (X, (1, 3, 5, 4)), r"\(2, 2, 5, 4\).*gradient has shape \(1, 3, 5, 4\)"),
        (ConvWeightFunction(IN_TWO), (X, G), r"2 and 3 channels cannot be shared out to 2 groups"),
    ],
)
def test_shapes_that_do_not_fit(function, shapes, says):
    with pytest.raises(ShapeError, match=f"^{function.what}: .*{says}"):
        type(function)(**{key: value for key, value in vars(function).items() if key in ("window", "image")})(
            *(np.ones(shape, F) for shape in shapes)
        )


@pytest.mark.parametrize("at", range(3))
def test_integers_are_refused(at):
    given = [np.ones(shape, F) for shape in (X, W, (3,))]
    given[at] = given[at].astype(np.int32)
    name, use = [("input", "x"), ("weight", "weight"), ("bias", "bias")][at]
    with pytest.raises(DTypeError, match=rf"conv: the {name} is int32; use {use}\.astype\('float32'\) first"):
        ConvFunction(SAME)(*given)
