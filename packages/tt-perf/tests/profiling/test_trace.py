"""Traces: valid JSON, in the order of time, each event inside of the one that called it."""

from __future__ import annotations

import json

import numpy as np
import pytest

import tt_nn
import tt_perf
from tt_perf import Ceilings
from tt_tensor import Tensor, recorder

ROOF = Ceilings(flops=1e11, bandwidth=1e10)


@pytest.fixture
def profiled():
    before = recorder.install(None)
    model = tt_nn.Sequential(tt_nn.Linear(8, 16), tt_nn.ReLU(), tt_nn.Linear(16, 2))
    try:
        with tt_perf.profile(ceilings=ROOF) as p:
            for _ in range(2):
                with tt_perf.span("step"):
                    y = model(Tensor(np.ones((4, 8), np.float32)))
                    model.backward(np.ones(y.shape, np.float32))
    finally:
        recorder.install(before)
    return p


def test_chrome_trace(profiled, tmp_path):
    path = tmp_path / "trace.json"
    profiled.save_trace(path)
    events = json.loads(path.read_text())["traceEvents"]
    names = [event for event in events if event["ph"] == "M"]
    assert [event["args"]["name"] for event in names] == ["main"]
    timed = [event for event in events if event["ph"] == "X"]
    assert len(timed) == len(profiled.events) == 2 * (1 + 4 + 3 + 3)
    starts = [event["ts"] for event in timed]
    assert starts == sorted(starts)
    assert starts[0] >= 0
    open_until = []
    for event in timed:
        end = event["ts"] + event["dur"]
        while open_until and open_until[-1] <= event["ts"]:
            open_until.pop()
        # It lies in the one that is open, or nothing is; rounding of microseconds aside.
        assert not open_until or end <= open_until[-1] + 1e-3
        open_until.append(end)
    linear = next(event for event in timed if event["name"] == "Linear" and event["cat"] == "forward")
    assert linear["args"]["inputs"] == [[4, 8], [16, 8], [16]]
    assert linear["args"]["flops"] == 2 * 4 * 8 * 16 + 4 * 16
    assert {event["name"] for event in timed} == {
        "step", "Sequential", "Linear", "ReLU", "Linear backward", "ReLU backward"
    }  # fmt: skip


def test_speedscope(profiled, tmp_path):
    path = tmp_path / "profile.speedscope.json"
    profiled.save_speedscope(path)
    content = json.loads(path.read_text())
    assert content["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    frames = [frame["name"] for frame in content["shared"]["frames"]]
    assert len(frames) == len(set(frames))
    (thread,) = content["profiles"]
    assert (thread["type"], thread["unit"], thread["name"]) == ("evented", "seconds", "main")
    times, stack = [], []
    for event in thread["events"]:
        times.append(event["at"])
        if event["type"] == "O":
            stack.append(event["frame"])
        else:
            assert stack.pop() == event["frame"]
    assert stack == []
    assert times == sorted(times)
    assert 0 <= times[0] <= times[-1] <= thread["endValue"] == profiled.seconds


def test_a_trace_is_there_as_a_whole_or_not_at_all(profiled, tmp_path):
    with pytest.raises(FileNotFoundError):
        profiled.save_trace(tmp_path / "no such folder" / "trace.json")
    profiled.save_trace(tmp_path / "trace.json")
    assert [path.name for path in tmp_path.iterdir()] == ["trace.json"]
