"""Convolution: the loops are the definition, and im2col and blocks give what they give, for every shape and layout."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tt_nn import shards
from tt_vision.channels import channels_last
from tt_vision.kernels import conv_blocked, conv_depthwise, conv_im2col, conv_loops
from tt_vision.window import Window

FAST = [conv_im2col, conv_blocked]


def kernels_for(problem):
    """The fast kernels that can do it."""
    depthwise = conv_depthwise.suits(problem.window, problem.grad.shape[1], problem.x.shape[1])
    return [*FAST, conv_depthwise] if depthwise else FAST


LAYOUTS = ["C", "channels last", "fortran", "reversed", "strided", "repeated"]


def laid_out(values, layout):
    """The values in another memory order; "repeated": the first image for all, without a copy."""
    if layout == "channels last":
        return channels_last(values).transpose(0, 3, 1, 2)
    if layout == "fortran":
        return np.asfortranarray(values)
    if layout == "reversed":
        return np.ascontiguousarray(values[:, ::-1, ::-1, ::-1])[:, ::-1, ::-1, ::-1]
    if layout == "strided":
        return np.repeat(values, 2, axis=3)[..., ::2]
    if layout == "repeated":
        return np.broadcast_to(values[:1], values.shape)
    return np.ascontiguousarray(values)


class Problem:
    """Operands of one convolution."""

    def __init__(self, window, n, c, o, image, layouts=("C", "C", "C"), seed=0, dtype=np.float64):
        rng = np.random.default_rng(seed)
        self.window, self.image = window, image
        shape = (n, c * window.groups, *image)
        filters = (o * window.groups, c, *window.size)
        places = (n, o * window.groups, *window.output(image, "problem"))
        self.x, self.weight, self.grad = (
            laid_out(rng.normal(size=size).astype(dtype), layout)
            for size, layout in zip((shape, filters, places), layouts, strict=True)
        )
        self.bias = rng.normal(size=o * window.groups).astype(dtype) if seed % 2 else None
        self.work = self.grad.size * c * window.size[0] * window.size[1]

    def forward(self, kernel):
        return kernel.conv2d(self.x, self.weight, self.bias, self.window)

    def backward(self, kernel, needs=(True, True)):
        # What only the other gradient would take is not there.
        x, weight = self.x if needs[1] else None, self.weight if needs[0] else None
        return kernel.conv2d_backward(x, weight, self.grad, self.window, self.image, needs)


@st.composite
def problems(draw):
    """Problems that the loops solve in milliseconds."""
    few = st.integers(1, 3)
    size, dilation = draw(st.tuples(few, few)), draw(st.tuples(few, few))
    stride = draw(st.sampled_from([(1, 1), (1, 1), (1, 2), (2, 1), (3, 2)]))
    # Half of them with less padding than the window reaches: then the way back at stride 1 is a convolution.
    most = [d * (k - 1) for k, d in zip(size, dilation, strict=True)] if draw(st.booleans()) else [3, 3]
    padding = tuple((draw(st.integers(0, p)), draw(st.integers(0, p))) for p in most)
    window = Window(size, stride, padding, dilation, draw(st.sampled_from([1, 1, 2, 3])))
    n = draw(st.integers(1, 4))
    c, o = (
        (1, 1) if draw(st.booleans()) else draw(st.tuples(few, few))
    )  # with groups, a filter for each channel
    # At least so many pixels that the window fits once.
    least = [max(1, reach - sum(p)) for reach, p in zip(window.reach, padding, strict=True)]
    image = (least[0] + draw(st.integers(0, 4)), least[1] + draw(st.integers(0, 4)))
    layouts = draw(st.tuples(*[st.sampled_from(LAYOUTS)] * 3))
    return Problem(window, n, c, o, image, layouts, draw(st.integers(0, 99)))


# Elements of a block; with 1 each place is a block of its own, and with None all is in one.
PIECES = st.sampled_from([1, 7, 40, 200, None])


def in_pieces(patch, block, around):
    """Blocks of so many elements of float64, and a thread for each image."""
    if block is not None:
        patch.setattr(conv_blocked, "BLOCK", 8 * block)
        patch.setattr(conv_depthwise, "BLOCK", 8 * block)
    if around is not None:
        patch.setattr(conv_blocked, "AROUND", 8 * around)
    patch.setattr(conv_blocked, "WORTH", 1)
    patch.setattr(conv_depthwise, "WORTH", 1)
    if around == 1:
        patch.setattr(shards, "KEPT", 0)  # scratch memory is other memory each time


SAME_3X3 = Window((3, 3), (1, 1), ((1, 1), (1, 1)))
EXAMPLES = [
    Problem(SAME_3X3, 127, 1, 2, (3, 3), ("channels last", "C", "channels last")),
    Problem(Window((2, 1), (2, 1)), 127, 2, 1, (5, 2), seed=1),
    Problem(SAME_3X3, 1, 1, 1, (1, 1)),
    Problem(Window((3, 3), (1, 1), ((1, 1), (1, 1)), groups=3), 127, 1, 1, (2, 3)),
    Problem(
        Window((3, 2), (1, 1), ((2, 0), (0, 1)), (1, 2)), 2, 2, 3, (4, 5), seed=1
    ),  # less padding on one side
    Problem(
        Window((2, 2), (1, 1), ((0, 1), (1, 2))), 2, 2, 3, (4, 5)
    ),  # more than the window reaches on one side
    Problem(Window((1, 1), (1, 1), ((0, 0), (0, 1))), 2, 2, 3, (4, 5)),
]


@pytest.fixture(scope="module", autouse=True)
def threads():
    with shards.threads(2):
        yield


@settings(max_examples=100)
@given(problems(), PIECES, PIECES)
@example(EXAMPLES[0], 40, 200)
@example(EXAMPLES[1], 1, 1)
@example(EXAMPLES[2], None, None)
@example(EXAMPLES[3], 40, None)
@example(EXAMPLES[4], None, None)
@example(EXAMPLES[5], 40, 7)
@example(EXAMPLES[6], None, None)
def test_forward_is_what_the_loops_give(problem, block, around):
    wanted = problem.forward(conv_loops)
    assert wanted.shape == problem.grad.shape
    with pytest.MonkeyPatch.context() as patch:
        in_pieces(patch, block, around)
        for kernel in kernels_for(problem):
            found = problem.forward(kernel)
            assert found.dtype == np.float64
            np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-11, err_msg=kernel.__name__)


@settings(max_examples=80)
@given(problems(), PIECES, PIECES)
@example(EXAMPLES[0], 40, 200)
@example(EXAMPLES[1], 1, 1)
@example(EXAMPLES[2], None, None)
@example(EXAMPLES[3], 40, None)
@example(EXAMPLES[4], None, None)
@example(EXAMPLES[5], 40, 7)
@example(EXAMPLES[6], None, None)
def test_gradients_are_what_the_loops_give(problem, block, around):
    wanted = problem.backward(conv_loops)
    assert wanted[0].shape == problem.x.shape and wanted[1].shape == problem.weight.shape
    with pytest.MonkeyPatch.context() as patch:
        in_pieces(patch, block, around)
        for kernel in kernels_for(problem):
            for needs in ((True, True), (True, False), (False, True)):
                found = problem.backward(kernel, needs)
                for part, true, need in zip(found, wanted, needs, strict=True):
                    if not need:
                        assert part is None
                        continue
                    assert part.dtype == np.float64
                    np.testing.assert_allclose(part, true, rtol=1e-11, atol=1e-11, err_msg=kernel.__name__)


def test_the_loops_by_hand():
    window = Window((2, 2), (1, 1), ((0, 1), (0, 0)))
    x = np.array([[[[1.0, 2.0], [3.0, 4.0]]]])
    weight = np.array([[[[10.0, 20.0], [30.0, 40.0]]]])
    y = conv_loops.conv2d(x, weight, np.array([0.5]), window)
    assert y.tolist() == [[[[10 + 40 + 90 + 160 + 0.5], [30 + 80 + 0.5]]]]
    dx, dw = conv_loops.conv2d_backward(x, weight, np.array([[[[1.0], [2.0]]]]), window, (2, 2), (True, True))
    assert dx.tolist() == [[[[10, 20], [30 + 20, 40 + 40]]]]
    assert dw.tolist() == [[[[1 + 6, 2 + 8], [3, 4]]]]
    for needs in ((True, False), (False, True), (False, False)):
        some = conv_loops.conv2d_backward(
            x if needs[1] else None, weight, np.array([[[[1.0], [2.0]]]]), window, (2, 2), needs
        )
        assert [part is not None for part in some] == list(needs)


# What a network has: too large for the loops.
LARGE = {
    "CIFAR's middle": (SAME_3X3, 17, 64, 65, (16, 15)),
    "the first layer, 224": (Window((7, 7), (2, 2), ((3, 3), (3, 3))), 2, 3, 16, (224, 223)),
    "224, stride 1": (SAME_3X3, 1, 4, 8, (224, 224)),
    "1x1": (Window((1, 1)), 31, 64, 32, (15, 15)),
    "1x1, stride 2": (Window((1, 1), (2, 2)), 31, 64, 32, (15, 15)),
    "groups": (Window((3, 3), (1, 1), ((1, 1), (1, 1)), groups=4), 17, 8, 8, (13, 14)),
    "depthwise": (Window((3, 3), (1, 1), ((1, 1), (1, 1)), groups=16), 33, 1, 1, (12, 12)),
    "dilation": (Window((3, 3), (1, 1), ((2, 2), (2, 2)), (2, 2)), 12, 16, 16, (17, 16)),
    "samples": (Window((1, 9), (1, 2), ((0, 0), (4, 4))), 25, 8, 16, (1, 301)),
    "a column": (Window((3, 1), (1, 1), ((1, 1), (0, 0))), 3, 8, 8, (1001, 1)),
    "batch of 127": (SAME_3X3, 127, 8, 8, (9, 9)),
}


@pytest.mark.parametrize("small", [False, True], ids=["as it is", "small blocks"])
@pytest.mark.parametrize("name", LARGE)
def test_blocks_give_what_one_product_gives_where_it_is_large(name, small, monkeypatch):
    if small:
        for setting, value in (("BLOCK", 1 << 15), ("AROUND", 1 << 16), ("WORTH", 1 << 18)):
            monkeypatch.setattr(conv_blocked, setting, value)
            monkeypatch.setattr(conv_depthwise, setting, value, raising=setting != "AROUND")
    problem = Problem(*LARGE[name], ("channels last", "C", "channels last"), 1, np.float32)
    # A weight collects from every place: rounding grows with the root of their number.
    tolerance = 1e-5 * np.sqrt(problem.grad.size)
    wanted, gradients = problem.forward(conv_im2col), problem.backward(conv_im2col)
    for kernel in kernels_for(problem)[1:]:
        y = problem.forward(kernel)
        assert y.dtype == np.float32
        np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-4)
        for found, true in zip(problem.backward(kernel), gradients, strict=True):
            assert found.dtype == np.float32
            np.testing.assert_allclose(found, true, rtol=1e-4, atol=tolerance)


@pytest.mark.parametrize("kernel", [*FAST, conv_depthwise], ids=lambda kernel: kernel.__name__.split("_")[-1])
@pytest.mark.parametrize(
    "window", [SAME_3X3, Window((1, 1)), Window((1, 1), (2, 2)), Window((2, 2), groups=2)]
)
def test_what_comes_out_is_memory_of_its_own(kernel, window, monkeypatch):
    in_pieces(monkeypatch, 40, 40)
    channels = 2
    if kernel is conv_depthwise:
        window, channels = replace(window, groups=3), 1
    problem = Problem(window, 3, channels, channels, (5, 5), ("channels last", "C", "channels last"), 1)
    results = [problem.forward(kernel), *problem.backward(kernel), problem.backward(kernel, (False, True))[1]]
    results.append(problem.backward(kernel, (True, False))[0])
    held = [*shards._here.__dict__.get("held", {}).values(), problem.x, problem.weight, problem.grad]
    for at, result in enumerate(results):
        assert not any(np.shares_memory(result, other) for other in held + results[:at])
        assert result.flags.writeable
    before = [result.copy() for result in results]
    other = Problem(window, 3, channels, channels, (5, 5), seed=3)
    other.forward(kernel)
    other.backward(kernel)
    assert all(np.array_equal(result, kept) for result, kept in zip(results, before, strict=True))


@pytest.mark.parametrize("kernel", [*FAST, conv_depthwise], ids=lambda kernel: kernel.__name__.split("_")[-1])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "window", [SAME_3X3, Window((3, 2), (2, 1)), Window((1, 1)), Window((2, 2), groups=2)]
)
def test_images_come_out_channels_last(kernel, layout, window):
    channels = 2
    if kernel is conv_depthwise:
        window, channels = replace(window, groups=3), 1
    problem = Problem(window, 3, channels, channels, (5, 5), (layout, "C", layout), 1)
    for images in (problem.forward(kernel), problem.backward(kernel)[0]):
        assert channels_last(images).base is not None and np.shares_memory(channels_last(images), images)


def test_the_operands_are_left_alone():
    window = Window((2, 2), (1, 1), ((1, 0), (0, 1)))
    for problem in (
        Problem(window, 2, 2, 2, (3, 4), seed=1),
        Problem(replace(window, groups=2), 2, 1, 1, (3, 4), seed=1),
    ):
        for operand in (problem.x, problem.weight, problem.grad, problem.bias):
            operand.setflags(write=False)
        for kernel in (*kernels_for(problem), conv_loops):
            problem.forward(kernel)
            problem.backward(kernel)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_stay(dtype):
    for window in (SAME_3X3, replace(SAME_3X3, groups=2)):
        problem = Problem(window, 2, 1, 1, (3, 4), seed=1, dtype=dtype)
        for kernel in (*kernels_for(problem), conv_loops):
            assert problem.forward(kernel).dtype == dtype
            assert [part.dtype for part in problem.backward(kernel)] == [dtype] * 2


def test_the_same_bits_each_time(monkeypatch):
    in_pieces(monkeypatch, 200, 200)
    problem = Problem(SAME_3X3, 13, 3, 5, (7, 7), seed=1, dtype=np.float32)
    strided = Problem(Window((3, 3), (2, 2), ((1, 1), (1, 1))), 13, 3, 5, (7, 7), dtype=np.float32)
    for one in (problem, strided):
        runs = [(one.forward(conv_blocked), *one.backward(conv_blocked)) for _ in range(10)]
        for part in range(3):
            assert len({run[part].tobytes() for run in runs}) == 1


def test_nan_and_infinity_stay_where_they_are():
    # Zeros around an image are no factors that make NaN of what is beside them in memory.
    problem = Problem(SAME_3X3, 2, 1, 1, (5, 5))
    problem.x[0, 0, 0, 0], problem.x[1, 0, 4, 4] = np.nan, np.inf
    wanted = problem.forward(conv_loops)
    for kernel in FAST:
        np.testing.assert_array_equal(np.isnan(problem.forward(kernel)), np.isnan(wanted))
    assert np.isnan(wanted).sum() == 4


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 400),
    st.integers(0, 12),
    st.integers(0, 5),
    st.sampled_from([0, 50, 300, 10**6]),
    st.sampled_from([np.float32, np.float64]),
)
@example(387, 288, 32, 10**6, np.float32)  # as it is used: stacks of 108, and a rest
def test_a_product_in_small_ones_is_the_product(rows, inner, columns, small, dtype):
    rng = np.random.default_rng(rows)
    x, y = rng.normal(size=(rows, inner)).astype(dtype), rng.normal(size=(inner, columns)).astype(dtype)
    whole = np.full((rows, columns + 2), 7, dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conv_blocked, "SMALL", small)
        out = np.full((rows, columns), np.nan, dtype)
        conv_blocked.multiply(x, y, out)
        conv_blocked.multiply(x, y, whole[:, :columns])
    scale = 1e-5 if dtype is np.float32 else 1e-12
    np.testing.assert_allclose(out, x.astype(float) @ y.astype(float), rtol=scale, atol=scale * 10)
    np.testing.assert_array_equal(whole[:, :columns], out)
    assert (whole[:, columns:] == 7).all()


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 60),
    st.integers(0, 12),
    st.integers(0, 5),
    st.sampled_from([0, 100, 10**6]),
    st.sampled_from([np.float32, np.float64]),
)
@example(1000, 27, 32, 10**6, np.float32)
def test_a_product_over_rows_in_small_ones_is_the_product(rows, inner, columns, small, dtype):
    rng = np.random.default_rng(rows)
    x, y = rng.normal(size=(rows, inner)).astype(dtype), rng.normal(size=(rows, columns)).astype(dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conv_blocked, "SMALL", small)
        patch.setattr(conv_blocked, "DEEP", 7 if rows < 100 else 96)
        found = conv_blocked.multiplied_back(x, y)
    assert found.dtype == dtype and found.shape == (inner, columns)
    scale = 1e-4 if dtype is np.float32 else 1e-12
    np.testing.assert_allclose(found, x.T.astype(float) @ y.astype(float), rtol=scale, atol=scale * 10)


def test_windows_are_a_view():
    images = np.arange(2 * 5 * 6 * 3.0).reshape(2, 5, 6, 3)
    window = Window((2, 3), (2, 1), dilation=(2, 1))
    found = conv_im2col.windows(images, window, (2, 4))
    assert found.shape == (2, 2, 4, 2, 3, 3) and np.shares_memory(found, images)
    for n, h, w, i, j, c in np.ndindex(found.shape):
        assert found[n, h, w, i, j, c] == images[n, 2 * h + 2 * i, w + j, c]


@settings(max_examples=50)
@given(st.integers(0, 20), st.integers(1, 9), st.integers(1, 9), st.integers(1, 300), st.integers(1, 3000))
def test_blocks_cover_every_place_once(count, high, wide, row, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conv_blocked, "BLOCK", size)
        visits = np.zeros((count, high), int)
        for a, b, r, s in conv_blocked.blocks(count, (high, wide), row):
            visits[a:b, r:s] += 1
            # As much as fits, but never less than one row of places.
            assert (b - a) * (s - r) * wide * row <= size or (b - a, s - r) == (1, 1)
            assert b - a == 1 or (r, s) == (0, high)
    assert (visits == 1).all()
