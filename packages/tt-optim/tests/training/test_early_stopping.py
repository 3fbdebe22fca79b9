"""Early stopping against its definition: so many looks in a row without a new best."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_nn import CrossEntropyLoss
from tt_optim import SGD
from tt_optim.training import EarlyStopping, Trainer
from tt_tensor.errors import ArgumentError

values = st.lists(st.one_of(st.integers(0, 9).map(float), st.just(math.nan)), max_size=30)


@given(values, st.integers(1, 4), st.sampled_from([0.0, 1.0, 2.5]), st.sampled_from(["min", "max"]))
def test_it_ends_with_the_first_patience_looks_without_a_best(figures, patience, min_delta, mode):
    wanted = None
    best, last = (math.inf if mode == "min" else -math.inf), -1
    for at, value in enumerate(figures):
        better = value < best - min_delta if mode == "min" else value > best + min_delta
        if better:
            best, last = value, at
        if at - last >= patience:
            wanted = at
            break
    stopping = EarlyStopping(mode=mode, patience=patience, min_delta=min_delta)
    found = next((at for at, value in enumerate(figures) if stopping.look(value)), None)
    assert found == wanted


@given(values, st.integers(0, 30))
def test_it_goes_on_where_it_was(figures, cut):
    whole, first, second = (EarlyStopping(patience=2) for _ in range(3))
    ends = [whole.look(value) for value in figures]
    for value in figures[:cut]:
        first.look(value)
    second.load_state_dict(first.state_dict())
    assert [second.look(value) for value in figures[cut:]] == ends[cut:]


def trained(network, classes, lr, epochs=9, val=True, **options):
    train, held_out = classes
    model = network()
    stopping = EarlyStopping(**options)
    trainer = Trainer(
        model, CrossEntropyLoss(), SGD(model.parameters(), lr=lr), callbacks=[stopping], progress=False
    )
    trainer.fit(train, held_out if val else None, epochs=epochs)
    return trainer


def test_a_run_that_stands_still_ends(network, classes):
    trainer = trained(network, classes, lr=0.0, patience=3)
    # The first look is a best; three more are not.
    assert trainer.epoch == 4
    assert "val_loss has not improved" in trainer.stop_reason


def test_a_run_that_gets_better_does_not_end(network, classes):
    trainer = trained(network, classes, lr=0.1, patience=1)
    assert trainer.epoch == 9 and trainer.stop_reason is None


def test_figures_of_training_are_looked_at_after_each_epoch(network, classes):
    trainer = trained(network, classes, lr=0.0, patience=2, monitor="loss", val=False)
    assert trainer.epoch == 3


def test_figures_that_are_not_there(network, classes):
    with pytest.raises(ArgumentError, match="got no `val`"):
        trained(network, classes, lr=0.1, val=False)
    with pytest.raises(ArgumentError, match="no figure 'val_f1'"):
        trained(network, classes, lr=0.1, monitor="val_f1")


@pytest.mark.parametrize("option", [{"mode": "best"}, {"patience": 0}, {"min_delta": -1.0}])
def test_settings_out_of_range(option):
    with pytest.raises(ArgumentError, match=next(iter(option))):
        EarlyStopping(**option)
