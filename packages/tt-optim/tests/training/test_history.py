"""The history: lines that survive a kill, cut where a checkpoint was."""

import json
import math

import numpy as np
import pytest

from tt_optim.training import History, HistoryError
from tt_tensor import tensor
from tt_tensor.errors import ArgumentError


def filled(path=None, lines=5):
    history = History(path)
    for at in range(1, lines + 1):
        history.append({"kind": "epoch", "step": at * 10, "epoch": at - 1, "loss": 1 / at})
    history.close()
    return history


def test_a_line_is_a_json_object_and_comes_back(tmp_path):
    path = tmp_path / "history.jsonl"
    history = filled(path)
    lines = path.read_text().splitlines()
    assert [json.loads(line) for line in lines] == history.records == History.read(path).records
    assert len(history) == 5 and next(iter(history))["loss"] == 1.0


def test_a_line_is_there_as_soon_as_it_was_written(tmp_path):
    history = History(tmp_path / "history.jsonl")
    history.append({"kind": "step", "step": 1, "loss": 0.5})
    assert len(History.read(history.path)) == 1
    history.sync()
    history.close()
    history.append({"kind": "step", "step": 2, "loss": 0.5})
    history.close()
    assert len(History.read(history.path)) == 2


def test_every_byte_of_a_torn_last_line_may_be_missing(tmp_path):
    path = tmp_path / "history.jsonl"
    filled(path)
    whole = path.read_bytes()
    start = len(b"".join(whole.splitlines(keepends=True)[:-1]))
    for size in range(start, len(whole)):
        path.write_bytes(whole[:size])
        assert len(History.read(path)) == 4
        again = History(path)
        again.cut(4)
        again.append({"kind": "epoch", "step": 50, "loss": 7.0})
        again.close()
        assert [record["step"] for record in History.read(path)] == [10, 20, 30, 40, 50]


@pytest.mark.parametrize("lines", range(6))
def test_cut_keeps_the_first_lines(tmp_path, lines):
    path = tmp_path / "history.jsonl"
    before = filled(path).records
    other = History(path)
    other.cut(lines)
    assert other.records == before[:lines] == History.read(path).records
    assert path.read_bytes() == b"".join(json.dumps(record).encode() + b"\n" for record in before[:lines])


def test_cut_in_memory_and_in_a_new_place(tmp_path):
    history = filled()
    history.cut(2)
    assert len(history) == 2
    moved = filled(tmp_path / "a.jsonl")
    moved.path = tmp_path / "b.jsonl"
    moved.cut(3)
    assert len(moved) == 3 and not moved.path.exists()


def test_a_file_with_fewer_lines_is_another_runs(tmp_path):
    path = tmp_path / "history.jsonl"
    filled(path, 2)
    contents = path.read_bytes()
    with pytest.raises(HistoryError, match="has 2 lines, but 3"):
        History(path).cut(3)
    assert path.read_bytes() == contents


@pytest.mark.parametrize("contents", [b"hello\n", b"[1]\n", b'{"kind": 1, "step": 2}\n', b'{"step": 2}\n'])
def test_a_file_of_another_kind_is_refused(tmp_path, contents):
    path = tmp_path / "notes.txt"
    path.write_bytes(contents)
    with pytest.raises(HistoryError, match="line 1"):
        History.read(path)
    with pytest.raises(HistoryError, match="line 1"):
        History(path).cut(0)
    assert path.read_bytes() == contents


def test_what_is_not_finite_is_null_and_arrays_are_lists(tmp_path):
    path = tmp_path / "history.jsonl"
    history = History(path)
    history.append(
        {
            "kind": "epoch",
            "step": np.int64(3),
            "loss": math.nan,
            "inf": np.float32(math.inf),
            "matrix": np.array([[1, 2]]),
            "tensor": tensor([0.5]),
            "nested": {"a": (1, 2.0)},
        }
    )
    history.close()
    assert json.loads(path.read_text()) == {
        "kind": "epoch",
        "step": 3,
        "loss": None,
        "inf": None,
        "matrix": [[1, 2]],
        "tensor": [0.5],
        "nested": {"a": [1, 2.0]},
    }


def test_columns():
    history = History()
    history.append({"kind": "step", "step": 1, "loss": 5.0})
    history.append({"kind": "evaluate", "step": 1, "loss": 4.0, "val_loss": 3.0})
    history.append({"kind": "epoch", "step": 2, "loss": 2.0})
    assert history.column("loss") == ([1, 2], [4.0, 2.0])
    assert history.column("loss", "step") == ([1], [5.0])
    assert history["val_loss"] == [3.0] and "val_loss" in history and "f1" not in history
    assert [record["step"] for record in history.epochs] == [2]
    with pytest.raises(ArgumentError, match="no figure 'f1'; there are loss, val_loss"):
        history["f1"]
