"""Ceilings: a roof is the lower of arithmetic and memory; the measured one is above what NumPy does."""

from __future__ import annotations

import time

import numpy as np
import pytest

import tt_perf
from tt_perf import Ceilings, measure_ceilings
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError


def test_the_roof():
    roof = Ceilings(flops=200.0, bandwidth=50.0)
    assert roof.ridge == 4.0
    assert [roof.reachable(intensity) for intensity in (0.0, 1.0, 4.0, 100.0)] == [0.0, 50.0, 200.0, 200.0]


@pytest.mark.parametrize(("flops", "bandwidth"), [(0, 1), (1, -1), (float("nan"), 1)])
def test_figures_that_no_machine_has(flops, bandwidth):
    with pytest.raises(ArgumentError):
        Ceilings(flops, bandwidth)


@pytest.mark.parametrize("seconds", [0, -1, "long"])
def test_a_time_is_needed(seconds):
    with pytest.raises(ArgumentError, match="seconds"):
        measure_ceilings(seconds)


def test_measured_ones_are_not_beaten_by_a_small_product():
    roof = measure_ceilings(0.2)
    a = np.ones((128, 128), np.float32)
    a @ a
    started = time.perf_counter()
    a @ a
    assert roof.flops > 0.2 * 2 * 128**3 / (time.perf_counter() - started)
    assert roof.bandwidth > 1e8


def test_a_roofline_is_drawn(tmp_path):
    pytest.importorskip("matplotlib", reason="tt-perf[pictures] is not installed")
    x = Tensor(np.ones((64, 64), np.float32))
    with tt_perf.profile(ceilings=Ceilings(1e11, 1e10)) as p:
        x @ x + x
    p.roofline(tmp_path / "roof.png")
    assert (tmp_path / "roof.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    with tt_perf.profile(ceilings=Ceilings(1e11, 1e10)) as p:
        pass
    with pytest.raises(ArgumentError, match="nothing to draw"):
        p.roofline(tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()
