"""Which checkpoints stay, which is newest, which is best: compared with a model in a few lines."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tt_tensor as tt
from tt_optim.training.errors import CheckpointWarning
from tt_optim.training.store import CheckpointStore
from tt_tensor.errors import ArgumentError, DTypeError


def steps(store):
    return [int(path.stem.removeprefix("step-")) for path in store.checkpoints()]


def step_of(path):
    return None if path is None else int(path.stem.removeprefix("step-"))


def best_of(scores, mode):
    finite = {step: score for step, score in scores.items() if score is not None and math.isfinite(score)}
    return (min if mode == "min" else max)(sorted(finite), key=finite.get, default=None)


def pruned(scores, saved, keep_last, keep_best, mode):
    """The definition: of all good ones stay the last, the one just saved, and the best."""
    keep = {*sorted(scores)[-keep_last:], saved}
    if keep_best:
        keep.add(best_of(scores, mode))
    return {step: score for step, score in scores.items() if step in keep}


saves = st.lists(
    st.tuples(
        st.integers(0, 12),
        st.none() | st.sampled_from([0.0, -0.0, 1.0, 2.0, -1.5, math.inf, -math.inf, math.nan]),
        st.booleans(),  # whether the process starts again before
    ),
    max_size=25,
)


@given(saves, st.integers(1, 4), st.booleans(), st.sampled_from(["min", "max"]), st.booleans())
@settings(deadline=None, max_examples=60)
def test_what_stays(tmp_path_factory, saves, keep_last, keep_best, mode, sort):
    folder = tmp_path_factory.mktemp("run")
    store = CheckpointStore(folder, keep_last, keep_best, mode)
    scores = {}
    if sort:
        saves = sorted(saves, key=lambda save: save[0])
    for number, (step, score, again) in enumerate(saves):
        if again:
            store = CheckpointStore(folder, keep_last, keep_best, mode)
        assert store.save({"number": number}, step, score) == folder / f"step-{step:08d}.safetensors"
        scores = pruned({**scores, step: score}, step, keep_last, keep_best, mode)
        assert steps(store) == sorted(scores)
        assert step_of(store.newest()) == max(scores)
        assert step_of(store.best()) == best_of(scores, mode)
        assert store.load(folder / f"step-{step:08d}.safetensors") == {"number": number}


def damage(path):
    contents = bytearray(path.read_bytes())
    contents[-1] ^= 1
    path.write_bytes(contents)


def test_damaged_ones_do_not_count_and_are_not_removed(tmp_path):
    store = CheckpointStore(tmp_path, keep_last=3)
    for step in (1, 2):
        store.save({}, step, score=step)
    store.save({}, 3, score=-1.0)
    damage(tmp_path / "step-00000003.safetensors")
    (tmp_path / "step-00000009.safetensors").write_bytes(b"")
    again = CheckpointStore(tmp_path, keep_last=2)
    for one in (store, again):
        assert step_of(one.best()) == 1
        assert step_of(one.newest()) == 2
    again.save({}, 4, score=4)
    assert steps(again) == [1, 2, 3, 4, 9]
    again.save({}, 5, score=5)
    assert steps(again) == [1, 3, 4, 5, 9]
    assert step_of(again.best()) == 1


def test_a_best_one_that_was_damaged_is_best_no_more(tmp_path):
    store = CheckpointStore(tmp_path, mode="max")
    for step, score in [(1, 0.9), (2, 0.7), (3, 0.8)]:
        store.save({}, step, score)
    assert step_of(store.best()) == 1
    damage(tmp_path / "step-00000001.safetensors")
    assert step_of(store.best()) == 3


def test_the_same_step_is_replaced(tmp_path):
    store = CheckpointStore(tmp_path)
    store.save({"x": 1}, 5, 0.1)
    store.save({"x": 2}, 5, 0.2)
    store.save({"x": 3}, 6, 0.15)
    assert steps(store) == [5, 6]
    assert store.load(tmp_path / "step-00000005.safetensors") == {"x": 2}
    assert step_of(store.best()) == 6


def test_scores_are_numbers_of_any_kind(tmp_path):
    store = CheckpointStore(tmp_path)
    for step, score in enumerate([3, np.float32(2.5), tt.tensor(2.25), np.array([2.0])]):
        store.save({}, step, score)
        assert step_of(store.best()) == step
    for score in ("0.5", True, [1, 2], tt.ones(2)):
        with pytest.raises(DTypeError, match="save: score"):
            store.save({}, 9, score)
    assert 9 not in steps(store)


def test_order_is_that_of_steps_also_beyond_eight_digits(tmp_path):
    store = CheckpointStore(tmp_path, keep_last=9)
    for step in (10**9, 99_999_999, 10**8, 2, np.int64(10)):
        store.save({"step": int(step)}, step)
    assert steps(store) == [2, 10, 99_999_999, 10**8, 10**9]
    assert store.load() == {"step": 10**9}


def test_what_is_not_ours_is_left_alone(tmp_path):
    names = [
        "step-1.safetensors",
        "step-000000001.safetensors",
        "step-00000001.safetensors.bak",
        "Step-00000001.safetensors",
        "step-00000001.json",
        ".notes.part",
        ".step-00000001.safetensors.part",
        ".step-00000001.safetensors.host-12.part",
        ".other.safetensors.host-999999999-0011aabb.part",
        "step-٠٠٠٠٠٠٠١.safetensors",
    ]
    for name in names:
        (tmp_path / name).write_bytes(b"mine")
    (tmp_path / "step-00000077.safetensors").mkdir()
    store = CheckpointStore(tmp_path, keep_last=1)
    for step in range(5):
        store.save({}, step)
    assert steps(store) == [4]
    assert all((tmp_path / name).read_bytes() == b"mine" for name in names)


def test_clear_makes_room_for_another_run_and_leaves_the_rest(tmp_path):
    store = CheckpointStore(tmp_path / "run")
    store.clear()
    for step in (1, 2):
        store.save({"step": step}, step)
    for name in ("history.jsonl", "notes.txt"):
        (store.folder / name).write_bytes(b"written")
    store.clear()
    assert [path.name for path in store.folder.iterdir()] == ["notes.txt"]
    assert store.newest() is None
    store.save({"step": 1}, 1)
    assert store.load() == {"step": 1}


def test_a_folder_is_made_and_a_file_is_none(tmp_path):
    store = CheckpointStore(str(tmp_path / "a" / "b"))
    assert store.folder.is_dir()
    assert repr(store).endswith("b', keep_last=3, keep_best=True, mode='min')")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="exists"):
        CheckpointStore(tmp_path / "file")


@pytest.mark.parametrize(
    "arguments", [{"keep_last": 0}, {"keep_last": True}, {"keep_last": 1.5}, {"mode": "best"}, {"mode": None}]
)
def test_arguments_are_checked_before_the_folder_is_made(tmp_path, arguments):
    with pytest.raises(ArgumentError, match="CheckpointStore: "):
        CheckpointStore(tmp_path / "run", **arguments)
    with pytest.raises(DTypeError, match="keep_best"):
        CheckpointStore(tmp_path / "run", keep_best="yes")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("step", [-1, 1.0, True, "1", None])
def test_a_step_is_a_count(tmp_path, step):
    with pytest.raises(ArgumentError, match="save: step must be an integer of at least 0"):
        CheckpointStore(tmp_path).save({}, step)


def test_one_that_cannot_be_removed_is_told(tmp_path, monkeypatch):
    store = CheckpointStore(tmp_path, keep_last=1)
    store.save({}, 1)

    def refuse(self, missing_ok=False):
        if not self.name.endswith(".part"):
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.warns(
        CheckpointWarning, match=r"step-00000001.*cannot be removed: Permission denied"
    ) as told:
        store.save({}, 2)
    assert told[0].filename == __file__
    assert steps(store) == [1, 2]


def test_one_that_another_replaced_meanwhile_is_not_removed(tmp_path, monkeypatch):
    ours, theirs = CheckpointStore(tmp_path, keep_last=1), CheckpointStore(tmp_path, keep_last=1)
    ours.save({}, 1, 5.0)
    good = ours._good

    def meanwhile():
        found = good()
        theirs.save({"better": True}, 1, 0.0)
        return found

    monkeypatch.setattr(ours, "_good", meanwhile)
    ours.save({}, 2, 1.0)
    assert steps(ours) == [1, 2]
    assert theirs.load(theirs.best()) == {"better": True}


TWO = """
import sys
import numpy as np
from tt_optim.training.store import CheckpointStore

store = CheckpointStore(sys.argv[1], keep_last=3)
for step in range(int(sys.argv[2]), 120, 2):
    store.save({"step": step, "x": np.full(5000, step)}, step, score=abs(step - 50))
    assert store.load()["step"] >= step
"""


def test_two_processes_in_one_folder(tmp_path):
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", TWO, str(tmp_path), str(first)], stderr=subprocess.PIPE, text=True
        )
        for first in (0, 1)
    ]
    for writer in writers:
        _, told = writer.communicate(timeout=120)
        assert writer.returncode == 0, told
    store = CheckpointStore(tmp_path)
    store.save({"step": 120}, 120)
    assert steps(store) == [50, 118, 119, 120]
    assert step_of(store.best()) == 50
    for path in store.checkpoints():
        assert store.load(path)["step"] == step_of(path)
    assert len(list(tmp_path.iterdir())) == 4
