"""The events: which, in which order, and what they may see."""

import pytest

import tt_nn
import tt_optim
from tt_optim.training import Callback, Trainer
from tt_optim.training.callbacks import EVENTS, Callbacks
from tt_tensor.errors import ArgumentError, DTypeError


class Note(Callback):
    """Notes every event, with the step."""

    def __init__(self):
        self.seen = []


def _noting(event):
    def method(self, trainer, *args):
        self.seen.append((event, trainer.step, trainer.epoch))

    return method


for _event in EVENTS:
    setattr(Note, _event, _noting(_event))


def trained(network, classes, folder, callbacks, batches=4, **options):
    train, val = classes
    model = network()
    trainer = Trainer(
        model,
        tt_nn.CrossEntropyLoss(),
        tt_optim.SGD(model.parameters(), lr=0.1),
        accumulate=2,
        callbacks=callbacks,
        checkpoints=folder,
        progress=False,
    )
    trainer.fit(train[:batches], val, **options)
    return trainer


def test_the_order_of_the_events(network, classes, tmp_path):
    note = Note()
    trained(network, classes, tmp_path, [note], epochs=1)
    assert note.seen == [
        ("on_fit_start", 0, 0),
        ("on_epoch_start", 0, 0),
        ("on_before_step", 0, 0),
        ("on_step_end", 1, 0),
        ("on_before_step", 1, 0),
        ("on_step_end", 2, 0),
        ("on_evaluate_end", 2, 0),
        ("on_epoch_end", 2, 1),
        ("on_checkpoint", 2, 1),
        ("on_fit_end", 2, 1),
    ]


def test_an_exception_is_seen_and_goes_on(network, classes, tmp_path):
    note = Note()

    class Fail(Callback):
        def on_step_end(self, trainer):
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        trained(network, classes, tmp_path, [note, Fail()], epochs=1)
    assert note.seen[-1] == ("on_exception", 1, 0)


def test_results_hold_all_figures(network, classes, tmp_path):
    found = {}

    class Keep(Callback):
        def on_evaluate_end(self, trainer, results):
            found["evaluate"] = dict(results)

        def on_epoch_end(self, trainer, results):
            found["epoch"] = dict(results)

    trainer = trained(network, classes, tmp_path, [Keep()], epochs=1)
    assert set(found["evaluate"]) == {"val_loss"}
    assert set(found["epoch"]) == {"loss", "val_loss"}
    assert trainer.results == found["epoch"]


class Counter(Callback):
    def __init__(self):
        self.steps = 0

    def on_step_end(self, trainer):
        self.steps += 1

    def state_dict(self):
        return {"steps": self.steps}

    def load_state_dict(self, state_dict):
        self.steps = state_dict["steps"]


def test_what_a_callback_remembers_survives(network, classes, tmp_path):
    trained(network, classes, tmp_path, [Counter(), Note(), Counter()], epochs=1)
    counters = [Counter(), Counter()]
    trained(network, classes, tmp_path, [*counters, Note()], epochs=2, resume=True)
    assert [counter.steps for counter in counters] == [4, 4]


def test_states_belong_to_a_class_and_a_place():
    first = Callbacks([Counter(), Note(), Counter()])
    first.all[0].steps, first.all[2].steps = 1, 2
    saved = first.state_dict()
    assert saved == {"Counter": {"steps": 1}, "Counter#2": {"steps": 2}}
    with pytest.raises(ArgumentError, match="Counter#2"):
        Callbacks([Counter()]).load_state_dict(saved)


def test_only_those_who_listen_are_called():
    assert Callbacks([Callback()])._listeners == {event: [] for event in EVENTS}
    assert len(Callbacks([Counter()])._listeners["on_step_end"]) == 1


class Stranger:
    """A callback of a wheel that does not know this one."""

    def __init__(self):
        self.steps = []

    def on_step_end(self, trainer):
        self.steps.append(trainer.step)

    def state_dict(self):
        return {"steps": len(self.steps)}

    def load_state_dict(self, state_dict):
        pass


def test_an_object_with_the_methods_of_an_event_is_a_callback(network, classes, tmp_path):
    stranger = Stranger()
    trained(network, classes, tmp_path, [stranger], epochs=1)
    assert stranger.steps == [1, 2]


@pytest.mark.parametrize("other", [Stranger, object(), print], ids=["a class", "no event", "a function"])
def test_other_objects_are_none(other):
    with pytest.raises(DTypeError, match="a callback is a Callback"):
        Callbacks([other])


@pytest.mark.parametrize("missing", ["on_step_end", "state_dict", "load_state_dict"])
def test_a_callback_without_one_of_its_methods_is_none(missing):
    halved = type("Halved", (), {name: method for name, method in vars(Stranger).items() if name != missing})
    with pytest.raises(DTypeError, match="a callback is a Callback"):
        Callbacks([halved()])
