"""scaling: exponents of known work, by a clock that only the work moves; attention and matmul are seen."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

import tt_perf
from tt_nn import shards
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError

SIZES = [8, 16, 32, 64]


class Clock:
    """Seconds that pass only when somebody works."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def work(self, seconds):
        self.now += seconds


@pytest.mark.parametrize(("power", "words"), [(1, "≈ N"), (2, "≈ N²"), (3, "≈ N³")])
def test_the_exponent_of_known_work(power, words):
    clock = Clock()
    found = tt_perf.scaling(lambda n: clock.work(1e-5 * n**power), SIZES, memory=False, clock=clock)
    assert found.seconds == pytest.approx([1e-5 * n**power for n in SIZES])
    assert found.time.words == words
    assert found.bytes is found.memory is None
    assert words in str(found)


def test_what_was_prepared_is_not_timed():
    clock = Clock()

    def prepare(n):
        clock.work(5.0)
        return lambda: clock.work(1e-3 * n)

    assert tt_perf.scaling(prepare, SIZES, memory=False, clock=clock).seconds == pytest.approx(
        [1e-3 * n for n in SIZES]
    )


def test_the_median_forgets_one_slow_run():
    clock, calls = Clock(), []

    def work(n):
        calls.append(n)
        clock.work(100.0 if len(calls) == 9 else 0.01 * n)

    assert tt_perf.scaling(work, SIZES, memory=False, clock=clock).seconds == pytest.approx(
        [0.01 * n for n in SIZES]
    )


def test_memory_is_the_peak_of_the_work():
    found = tt_perf.scaling(lambda n: np.ones((n, n)), [128, 256, 512, 1024], repeats=1)
    assert found.memory.words == "≈ N²"
    for n, peak in zip(found.sizes, found.bytes, strict=True):
        assert 8 * n * n <= peak <= 8 * n * n + 20_000


def test_attention_is_seen_to_need_the_square_and_blocks_to_need_less():
    tt_text = pytest.importorskip("tt_text", reason="tt-text is not installed")
    from tt_tensor import kernels

    def attention(n):
        q = Tensor(np.ones((1, 2, n, 8), np.float32))
        return lambda: tt_text.scaled_dot_product_attention(q, q, q)

    sizes = [256, 512, 1024]
    with kernels.use("plain", "attention"):
        plain = tt_perf.scaling(attention, sizes, repeats=1)
    with kernels.use("blockwise", "attention"):
        blocks = tt_perf.scaling(attention, sizes, repeats=1)
    assert plain.memory.exponent == pytest.approx(2, abs=0.1)
    assert blocks.memory.exponent < 1.3


def test_a_matrix_product_is_seen_to_take_the_cube():
    def product(n):
        a = np.ones((n, n), np.float32)
        return lambda: a @ a

    # CPU time of this thread: others use the machine, too.
    with shards.one_blas_thread():
        found = tt_perf.scaling(product, [192, 384, 768], repeats=3, memory=False, clock=time.thread_time)
    assert found.time.exponent == pytest.approx(3, abs=0.5)


def test_figures_are_plain_json_and_a_picture_is_drawn(tmp_path):
    found = tt_perf.scaling(lambda n: np.ones((n, n)), [64, 128, 256], repeats=1)
    figures = json.loads(json.dumps(found.to_dict()))
    assert figures["sizes"] == [64, 128, 256]
    assert figures["memory"]["words"] == "≈ N²"
    pytest.importorskip("matplotlib", reason="tt-perf[pictures] is not installed")
    found.save_picture(tmp_path / "scaling.png")
    assert (tmp_path / "scaling.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("sizes", [[], [4], [4, 4], [0, 4], [2.5, 4], [True, 4], 7], ids=str)
def test_bad_sizes(sizes):
    with pytest.raises(ArgumentError, match="sizes"):
        tt_perf.scaling(lambda n: None, sizes)


def test_bad_work_and_repeats():
    with pytest.raises(DTypeError, match="not callable"):
        tt_perf.scaling("work", [1, 2])
    with pytest.raises(ArgumentError, match="repeats"):
        tt_perf.scaling(lambda n: None, [1, 2], repeats=0)


def test_an_error_of_the_work_comes_through():
    with pytest.raises(ZeroDivisionError):
        tt_perf.scaling(lambda n: 1 / (n - 4), [2, 4])
