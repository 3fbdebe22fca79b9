"""Law: killed at any step and resumed, a run ends with the bits and the history of the uninterrupted one.

Everything that has a state is on: dropout from the process-wide generator and from one of its own, a loader that
shuffles, accumulation with an incomplete last group, clipping, schedule, average, metrics, early stopping, evaluation
in mid-epoch on data that are shuffled from the process-wide generator, tied weights.
"""

import functools
import hashlib
import json
import random

import numpy as np
import pytest

import tt_nn
import tt_optim
import tt_tensor
from tt_optim.training import (
    EMA,
    Accuracy,
    Callback,
    CheckpointStore,
    ConfigurationError,
    ConfusionMatrix,
    EarlyStopping,
    Every,
    History,
    ReplayError,
    ResumeError,
    Trainer,
    random_states,
)
from tt_optim.training.history import TIMES
from tt_tensor import Generator, tensor
from tt_tensor.errors import ArgumentError

STEPS = 17
LIKE = {"steps": STEPS, "evaluate_every": Every(steps=3, epochs=1)}


@pytest.fixture(autouse=True)
def _kept():
    before = random_states.capture()
    yield
    random_states.restore(before)


class Stateful:
    """A loader with a state of its own."""

    def __init__(self, data):
        self.data, self.epoch, self.at = data, 0, 0

    def __iter__(self):
        order = np.random.default_rng(self.epoch).permutation(len(self.data))
        while self.at < len(self.data):
            self.at += 1
            yield self.data[order[self.at - 1]]
        self.epoch, self.at = self.epoch + 1, 0

    def state_dict(self):
        return {"epoch": self.epoch, "at": self.at}

    def load_state_dict(self, state):
        self.epoch, self.at = state["epoch"], state["at"]


class Shuffled:
    """A loader without one: it draws a permutation from the generator that it holds."""

    def __init__(self, data, generator=None):
        self.data, self.generator = data, generator or Generator(5)

    def __iter__(self):
        for at in tt_tensor.randperm(len(self.data), generator=self.generator).tolist():
            yield self.data[at]


def lists(data):
    return list(data)


def function(data):
    def batches():
        order = list(range(len(data)))
        random.shuffle(order)
        return (data[at] for at in order)

    return batches


LOADERS = {"stateful": Stateful, "shuffled": Shuffled, "list": lists, "function": function}


class Tied(tt_nn.Module):
    """Two layers with one weight, dropout from two generators."""

    def __init__(self):
        self.first, self.second, self.out = tt_nn.Linear(4, 4), tt_nn.Linear(4, 4), tt_nn.Linear(4, 3)
        self.second.weight = self.first.weight
        self.drop, self.own = tt_nn.Dropout(0.2), tt_nn.Dropout(0.3, generator=Generator(8))
        self.register_buffer("calls", tensor([0.0]))
        self.register_buffer("cache", tensor([0.0]), persistent=False)

    def forward(self, x):
        if self.training:
            self.calls.write(self.calls.array + 1)
            self.cache.write(self.cache.array * 0.5 + x.array.mean())
        x = self.drop(tt_nn.functional.relu(self.first(x)))
        return self.out(self.own(self.second(x)))


class KilledError(Exception):
    """What stands for a kill."""


class KillAt(Callback):
    """Raises at the n-th time that an event comes."""

    def __init__(self, event, count):
        self.left = count
        setattr(self, event, self._count)

    def _count(self, *args):
        self.left -= 1
        if not self.left:
            raise KilledError


def build(classes, folder, loader="shuffled", callbacks=(), **options):
    train, val = classes
    tt_tensor.manual_seed(21)
    random.seed(22)
    np.random.seed(23)  # noqa: NPY002
    model = Tied()
    optimizer = tt_optim.AdamW(
        [
            {"params": list(model.first.parameters())},
            {"params": [model.second.bias, *model.out.parameters()], "lr": 0.01},
        ],
        lr=0.02,
    )
    settings = {
        "scheduler": tt_optim.WarmupCosineLR(optimizer, warmup_steps=3, total_steps=STEPS),
        "metrics": [Accuracy(), ConfusionMatrix(3)],
        "accumulate": 2,
        "clip_norm": 0.5,
        "ema": EMA(model, 0.9),
        "checkpoints": folder,
        "checkpoint_every": Every(steps=2, epochs=1),
        "log_every": 1,
        "progress": False,
    } | options
    stopping = EarlyStopping(patience=50)
    trainer = Trainer(
        model, tt_nn.CrossEntropyLoss(), optimizer, callbacks=[stopping, *callbacks], **settings
    )
    data = LOADERS[loader](train)
    held_out = Shuffled(val, tt_tensor.default_generator())

    def fit(resume=False, steps=STEPS, **more):
        more = {"evaluate_every": Every(steps=3, epochs=1)} | more
        return trainer.fit(data, held_out, steps=steps, resume=resume, **more)

    trainer.run_fit = fit
    return trainer


def digest(trainer):
    """sha256 over the last checkpoint, which holds everything, but for the times."""
    state = trainer.store.load()
    del state["place"]["seconds"], state["place"]["lines"]
    sha = hashlib.sha256()

    def add(value):
        if isinstance(value, dict):
            for key in sorted(value, key=str):
                sha.update(f"{key}:".encode())
                add(value[key])
        elif isinstance(value, list | tuple):
            for part in value:
                add(part)
        elif hasattr(value, "dtype"):
            array = np.asarray(getattr(value, "array", value))
            sha.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
        else:
            sha.update(repr(value).encode())

    add(state)
    return sha.hexdigest()


def lines(trainer):
    records = History.read(trainer.history.path).records
    assert records == trainer.history.records
    return [{name: value for name, value in record.items() if name not in TIMES} for record in records]


def killed_and_resumed(classes, folder, loader, event, count):
    first = build(classes, folder, loader, [KillAt(event, count)])
    with pytest.raises(KilledError):
        first.run_fit()
    again = build(classes, folder, loader)
    if again.store.checkpoints():
        # Whatever the new process drew before; where it begins anew, the script's own seeds count.
        random_states.seed_all(1234)
        tt_tensor.rand(3)
    again.run_fit(resume=True)
    return again


@pytest.mark.parametrize("loader", LOADERS)
def test_killed_at_every_step(classes, tmp_path, loader):
    whole = build(classes, tmp_path / "whole", loader)
    whole.run_fit()
    wanted, history = digest(whole), lines(whole)
    assert {record["kind"] for record in history} == {"step", "evaluate", "epoch"}
    for step in range(1, STEPS + 1, 1 if loader in ("stateful", "shuffled") else 4):
        again = killed_and_resumed(classes, tmp_path / f"step{step}", loader, "on_step_end", step)
        assert digest(again) == wanted, f"killed at step {step}"
        assert lines(again) == history
        assert again.model.second.weight is again.model.first.weight


@pytest.mark.parametrize(
    ("event", "counts"),
    [
        ("on_before_step", (1, 5, 9)),
        ("on_evaluate_end", (1, 2, 4)),
        ("on_epoch_start", (1, 2, 4)),
        ("on_epoch_end", (1, 3)),
        ("on_checkpoint", (1, 2, 5, 8)),
    ],
)
def test_killed_at_other_events(classes, tmp_path, event, counts):
    whole = build(classes, tmp_path / "whole")
    whole.run_fit()
    for count in counts:
        again = killed_and_resumed(classes, tmp_path / f"{event}{count}", "shuffled", event, count)
        assert digest(again) == digest(whole), f"killed at {event} {count}"
        assert lines(again) == lines(whole)


def test_killed_again_and_again(classes, tmp_path):
    whole = build(classes, tmp_path / "whole")
    whole.run_fit()
    for kill in range(40):
        trainer = build(classes, tmp_path / "killed", callbacks=[KillAt("on_step_end", 1 + kill % 3)])
        try:
            trainer.run_fit(resume=True)
            break
        except KilledError:
            continue
    else:
        pytest.fail("it never came to its end")
    assert kill > 5
    assert digest(trainer) == digest(whole) and lines(trainer) == lines(whole)


def test_a_torn_line_and_lines_after_the_checkpoint_are_cut(classes, tmp_path):
    whole = build(classes, tmp_path / "whole")
    whole.run_fit()
    first = build(classes, tmp_path / "torn", callbacks=[KillAt("on_step_end", 7)])
    with pytest.raises(KilledError):
        first.run_fit()
    with open(first.history.path, "ab") as file:
        file.write(b'{"kind": "step", "step": 8, "lo')
    again = build(classes, tmp_path / "torn")
    again.run_fit(resume=True)
    assert lines(again) == lines(whole)


def test_two_fits_are_one(classes, tmp_path):
    whole, parts = build(classes, tmp_path / "whole"), build(classes, tmp_path / "parts")
    # Where no step is evaluated in the end that would not have been.
    whole.run_fit()
    parts = build(classes, tmp_path / "parts")
    parts.run_fit(steps=6)
    parts.run_fit()
    assert digest(parts) == digest(whole) and lines(parts) == lines(whole)


def test_a_finished_run_stays_as_it_is(classes, tmp_path):
    first = build(classes, tmp_path)
    first.run_fit()
    wanted, history = digest(first), lines(first)
    again = build(classes, tmp_path)
    again.run_fit(resume=True)
    assert digest(again) == wanted and lines(again) == history and again.step == STEPS


def test_an_early_stop_stays_stopped(classes, tmp_path):
    def make():
        train, val = classes
        model = Tied()
        return Trainer(
            model,
            tt_nn.CrossEntropyLoss(),
            tt_optim.SGD(model.parameters(), lr=0.0),
            callbacks=[EarlyStopping(patience=2)],
            checkpoints=tmp_path,
            progress=False,
        ), (train, val)

    for resume in (False, True, True):
        trainer, data = make()
        trainer.fit(*data, epochs=20, resume=resume)
        assert trainer.epoch == 3 and len(trainer.history) == 3


@pytest.mark.parametrize("killed", [3, 5, 9, 12, 14])
def test_a_plateau_goes_on(classes, tmp_path, killed):
    def make(folder, callbacks=()):
        trainer = build(classes, folder, callbacks=callbacks, scheduler=None)
        optimizer = trainer.optimizer
        trainer = Trainer(
            trainer.model,
            trainer.loss_fn,
            optimizer,
            scheduler=tt_optim.ReduceLROnPlateau(optimizer, patience=0, threshold=0.2),
            schedule_every="epoch",
            callbacks=callbacks,
            checkpoints=folder,
            checkpoint_every=1,
            progress=False,
            seed=1,
        )
        train, val = classes
        trainer.run_fit = lambda resume=False: trainer.fit(train[:3], val, epochs=5, resume=resume)
        return trainer

    whole = make(tmp_path / "whole")
    whole.run_fit()
    assert whole.history["lr"][-1] < 0.02, "it was never reduced"
    first = make(tmp_path / "killed", [KillAt("on_step_end", killed)])
    with pytest.raises(KilledError):
        first.run_fit()
    again = make(tmp_path / "killed")
    again.run_fit(resume=True)
    assert digest(again) == digest(whole) and lines(again) == lines(whole)


def test_a_run_can_be_made_longer(classes, tmp_path):
    whole = build(classes, tmp_path / "whole")
    whole.run_fit()
    first = build(classes, tmp_path / "longer")
    first.run_fit(steps=12)
    again = build(classes, tmp_path / "longer")
    again.run_fit(resume=True)
    assert digest(again) == digest(whole)


def test_resume_from_a_path(classes, tmp_path):
    store = CheckpointStore(tmp_path / "first", keep_last=100)
    first = build(classes, store)
    first.run_fit()
    at = store.folder / "step-00000006.safetensors"
    again = build(classes, tmp_path / "second")
    again.run_fit(resume=at)
    assert digest(again) == digest(first)
    # Its own history begins there.
    assert again.history.records[0]["step"] == 7
    with pytest.raises(ResumeError, match="folder of its own"):
        build(classes, store).run_fit(resume=at)


def test_modes_and_frozen_parameters_come_back(classes, tmp_path):
    class Freeze(Callback):
        def on_step_end(self, trainer):
            if trainer.step == 2:
                trainer.model.drop.eval()
                trainer.model.out.requires_grad_(False)

    first = build(classes, tmp_path, callbacks=[Freeze(), KillAt("on_step_end", 5)])
    with pytest.raises(KilledError):
        first.run_fit()
    again = build(classes, tmp_path, callbacks=[Freeze()])
    again.run_fit(resume=True)
    assert not again.model.drop.training and again.model.own.training
    assert not again.model.out.weight.requires_grad and again.model.first.weight.requires_grad


class TestAnotherRun:
    """A checkpoint of something else is refused, naming what differs, and nothing is changed."""

    @pytest.fixture
    def folder(self, classes, tmp_path):
        build(classes, tmp_path / "run").run_fit(steps=5)
        return tmp_path / "run"

    def refused(self, trainer, error, words, data=None):
        before = [p.array.copy() for p in trainer.model.parameters()]
        states = json.dumps(random_states.capture())
        fit = trainer.run_fit if data is None else functools.partial(trainer.fit, *data, **LIKE)
        with pytest.raises(error, match=words):
            fit(resume=True)
        after = trainer.model.parameters()
        assert all(np.array_equal(p.array, kept) for p, kept in zip(after, before, strict=True))
        assert json.dumps(random_states.capture()) == states
        assert trainer.step == 0

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"accumulate": 3}, "accumulate: 2 then, 3 now"),
            ({"clip_norm": None}, "clip_norm: 0.5 then, None now"),
            ({"ema": 0.5}, "ema: .*0.9.* then, .*0.5"),
            ({"scheduler": None}, "scheduler: WarmupCosineLR then, nothing now"),
            ({"metrics": [Accuracy()]}, "metrics"),
            ({"seed": 5}, "seed: None then, 5 now"),
            ({"monitor": "val_accuracy"}, "monitor"),
        ],
    )
    def test_settings(self, classes, folder, options, words):
        self.refused(build(classes, folder, **options), ConfigurationError, words)

    def test_learning_rate(self, classes, folder):
        trainer = build(classes, folder)
        trainer.optimizer.param_groups[1]["initial_lr"] = 0.5
        trainer = Trainer(
            trainer.model,
            trainer.loss_fn,
            trainer.optimizer,
            scheduler=trainer.scheduler,
            checkpoints=folder,
            progress=False,
        )
        self.refused(trainer, ConfigurationError, "optimizer group 1 initial_lr: 0.01 then, 0.5 now", classes)

    def test_evaluation(self, classes, folder):
        trainer = build(classes, folder)
        with pytest.raises(ConfigurationError, match="evaluate_every"):
            trainer.run_fit(resume=True, evaluate_every="epoch")

    def test_another_model(self, classes, folder):
        model = tt_nn.Sequential(tt_nn.Linear(4, 5), tt_nn.Linear(5, 3))
        optimizer = tt_optim.AdamW(model.parameters())
        trainer = Trainer(model, tt_nn.CrossEntropyLoss(), optimizer, checkpoints=folder, progress=False)
        words = r"parameter 0.weight: nothing then, float32 \(5, 4\) now"
        self.refused(trainer, ConfigurationError, words, classes)

    def test_weights_that_are_no_longer_tied(self, classes, folder):
        trainer = build(classes, folder)
        model = trainer.model
        model.second.weight = tt_nn.Parameter(model.first.weight)
        trainer = Trainer(
            model,
            trainer.loss_fn,
            tt_optim.SGD(model.parameters(), lr=0.1),
            checkpoints=folder,
            progress=False,
        )
        words = r"parameter second.weight: tied to first.weight then, float32"
        self.refused(trainer, ConfigurationError, words, classes)

    def test_another_loss(self, classes, folder):
        trainer = build(classes, folder)
        other = Trainer(
            trainer.model,
            tt_nn.CrossEntropyLoss(label_smoothing=0.1),
            trainer.optimizer,
            checkpoints=folder,
            progress=False,
        )
        self.refused(
            other, ConfigurationError, "loss: .*label_smoothing=0.0.* then, .*label_smoothing=0.1", classes
        )

    def test_other_data(self, classes, tmp_path):
        # In mid-epoch: the batches that were used are looked at.
        first = build(classes, tmp_path, callbacks=[KillAt("on_step_end", 3)])
        with pytest.raises(KilledError):
            first.run_fit()
        train, val = classes
        other = [(tensor(x.array + 1), y) for x, y in train]
        self.refused(build((other, val), tmp_path), ReplayError, "Is it the same data")

    def test_other_callbacks(self, classes, folder):
        trainer = build(classes, folder, callbacks=[EarlyStopping()])
        with pytest.raises(ArgumentError, match="EarlyStopping#2"):
            trainer.run_fit(resume=True)

    def test_a_state_that_no_trainer_wrote(self, classes, tmp_path):
        CheckpointStore(tmp_path).save({"model": {}}, 3)
        self.refused(build(classes, tmp_path), ResumeError, "none of a Trainer of this version; it has model")

    def test_a_new_run_in_the_same_place(self, classes, folder):
        with pytest.raises(ArgumentError, match=r"newest step-00000005\.safetensors; resume=True goes"):
            build(classes, folder).run_fit()
