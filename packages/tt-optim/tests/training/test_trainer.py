"""The Trainer: what it trains on, what it keeps, and what it refuses."""

import math

import numpy as np
import pytest

import tt_nn
import tt_optim
import tt_tensor
from tt_optim.training import (
    EMA,
    Accuracy,
    BatchError,
    Callback,
    CheckpointStore,
    ConfusionMatrix,
    EarlyStopping,
    EndOfDataError,
    Every,
    History,
    HistoryError,
    Metric,
    NonFiniteError,
    Trainer,
)
from tt_tensor import Tensor, tensor
from tt_tensor.errors import ArgumentError, DTypeError


@pytest.fixture
def make(network):
    def trainer(model=None, loss_fn=None, lr=0.1, **options):
        model = model or network()
        optimizer = options.pop("optimizer", None) or tt_optim.SGD(model.parameters(), lr=lr)
        options.setdefault("progress", False)
        return Trainer(model, loss_fn or tt_nn.CrossEntropyLoss(), optimizer, **options)

    return trainer


def weights(trainer):
    return [p.array.copy() for p in trainer.model.parameters()]


def equal(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


class TestFigures:
    def test_of_an_epoch_are_those_of_all_its_terms(self, make, classes):
        # A learning rate of 0: the figures of the epoch are those of the model on the whole data.
        train, val = classes
        trainer = make(lr=0.0, metrics=[Accuracy()])
        history = trainer.fit(train, val, epochs=1)
        for name, data in (("", train), ("val_", val)):
            x, y = (np.concatenate([pair[part].array for pair in data]) for part in (0, 1))
            outputs = trainer.model(tensor(x))
            wanted = tt_nn.CrossEntropyLoss()(outputs, tensor(y)).item()
            assert history[f"{name}loss"] == [pytest.approx(wanted, rel=1e-6)]
            assert history[f"{name}accuracy"] == [np.mean(outputs.array.argmax(1) == y)]

    def test_a_metric_that_is_a_matrix(self, make, classes):
        train, val = classes
        history = make(metrics=[ConfusionMatrix(3)]).fit(train, val, epochs=2)
        assert [np.sum(matrix) for matrix in history["confusion_matrix"]] == [61, 61]
        assert [np.sum(matrix) for matrix in history["val_confusion_matrix"]] == [20, 20]

    def test_metrics_of_training_may_be_left_out(self, make, classes):
        history = make(metrics=[Accuracy()], train_metrics=False).fit(*classes, epochs=1)
        assert "val_accuracy" in history and "accuracy" not in history

    def test_evaluation_in_mid_epoch_leaves_the_sums_of_training_alone(self, make, classes):
        with_, without = (make(metrics=[Accuracy()]) for _ in range(2))
        with_.fit(*classes, epochs=2, evaluate_every=Every(steps=3, epochs=1))
        without.fit(*classes, epochs=2)
        for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
            assert with_.history.column(name, "epoch") == without.history.column(name, "epoch")
        assert with_.history.column("val_loss", "evaluate")[0] == [3, 6, 9, 12, 15]

    def test_a_line_for_each_step(self, make, classes):
        train, _ = classes
        trainer = make(log_every=2, clip_norm=1.0)
        trainer.fit(train, epochs=1)
        lines = [record for record in trainer.history if record["kind"] == "step"]
        assert [line["step"] for line in lines] == [2, 4, 6, 8]
        assert all(line["lr"] == 0.1 and line["grad_norm"] > 0 for line in lines)
        assert trainer.samples == 61


class TestHowLong:
    def test_epochs_and_steps_whichever_comes_first(self, make, classes):
        train, _ = classes
        for epochs, steps, wanted in ((2, None, 16), (None, 5, 5), (2, 5, 5), (1, 99, 8), (None, 20, 20)):
            trainer = make()
            trainer.fit(train, epochs=epochs, steps=steps)
            assert trainer.step == wanted
            assert trainer.epoch == wanted // 8

    def test_the_numbers_are_totals(self, make, classes):
        train, _ = classes
        once, twice = make(), make()
        once.fit(train, epochs=3)
        twice.fit(train, epochs=1)
        twice.fit(train, steps=13)
        twice.fit(train, epochs=3)
        twice.fit(train, epochs=2)
        assert twice.step == 24 and equal(weights(once), weights(twice))

    def test_the_last_epoch_of_many_steps_has_its_line(self, make, classes):
        # The loader knows its length, so the epoch is over and not cut off.
        train, val = classes
        trainer = make()
        trainer.fit(train, val, steps=16)
        assert [(r["kind"], r["step"]) for r in trainer.history] == [("epoch", 8), ("epoch", 16)]
        trainer.fit(train, val, steps=20)
        assert [(r["kind"], r["step"]) for r in trainer.history][2:] == [("evaluate", 20)]

    def test_a_callback_ends_it(self, make, classes):
        class Stop(Callback):
            def on_step_end(self, trainer):
                if trainer.step == 11:
                    trainer.stop("enough")

        trainer = make(callbacks=[Stop()])
        trainer.fit(*classes, epochs=5)
        assert trainer.step == 11 and trainer.stop_reason == "enough"
        assert trainer.history.records[-1]["kind"] == "evaluate" and "val_loss" in trainer.history.records[-1]

    def test_say_how_long(self, make, classes):
        with pytest.raises(ArgumentError, match="how long"):
            make().fit(classes[0])
        for wrong in ({"epochs": 0}, {"steps": -1}, {"epochs": 1.5}):
            with pytest.raises(ArgumentError, match="at least 1"):
                make().fit(classes[0], **wrong)


class TestData:
    def test_a_function_and_a_generator_give_what_a_list_gives(self, make, classes):
        train, _ = classes
        wanted = make()
        wanted.fit(train, epochs=2)
        for source in (lambda: iter(train), lambda: (pair for pair in train), tuple(train)):
            trainer = make()
            trainer.fit(source, lambda: iter(train), epochs=2)
            assert equal(weights(trainer), weights(wanted))

    def test_one_shot_iterators(self, make, classes):
        train, val = classes
        trainer = make()
        trainer.fit(iter(train), val, epochs=1)
        assert trainer.step == 8
        for options in ({"epochs": 3}, {"steps": 20}):
            with pytest.raises(EndOfDataError, match="one-shot iterator"):
                make().fit(iter(train), **options)
        with pytest.raises(EndOfDataError, match="val is a one-shot"):
            make().fit(train, iter(val), epochs=2)

    def test_no_batch_at_all(self, make, classes):
        with pytest.raises(EndOfDataError, match="no batch"):
            make().fit([], steps=3)
        with pytest.raises(ArgumentError, match="no batch"):
            make().fit(classes[0], [], epochs=1)

    def test_dicts_and_several_inputs(self, classes):
        class Two(tt_nn.Module):
            def __init__(self):
                self.layer = tt_nn.Linear(4, 3)

            def forward(self, a, b):
                return self.layer(a) + b

        train, _ = classes
        results = []
        for batches in (
            [((x, 1.0), y) for x, y in train],
            [({"a": x, "b": 1.0}, y) for x, y in train],
            [{"inputs": (x, 1.0), "targets": y} for x, y in train],
            [[(x, 1.0), y] for x, y in train],
        ):
            tt_tensor.manual_seed(0)
            model = Two()
            trainer = Trainer(
                model,
                tt_nn.CrossEntropyLoss(),
                tt_optim.SGD(model.parameters(), lr=0.1),
                progress=False,
            )
            trainer.fit(batches, epochs=2)
            assert trainer.predict(batches).shape == (61, 3)
            results.append(weights(trainer))
        assert all(equal(results[0], other) for other in results[1:])

    def test_batches_of_ones_own(self, make, classes):
        train, _ = classes
        wanted = make()
        wanted.fit(train, epochs=1)
        triples = [(x, y, "a name") for x, y in train]
        trainer = make(forward=lambda model, batch: (model(batch[0]), batch[1]))
        trainer.fit(triples, triples, epochs=1)
        assert equal(weights(trainer), weights(wanted))
        assert trainer.predict(triples).shape == (61, 3)
        with pytest.raises(BatchError, match="3 parts"):
            make().fit(triples, epochs=1)

    def test_arrays_are_batches_as_tensors_are(self, make, classes):
        train, _ = classes
        arrays = [(x.array, y.array) for x, y in train]
        one, other = make(metrics=[Accuracy()]), make(metrics=[Accuracy()])
        one.fit(train, epochs=1)
        other.fit(arrays, arrays, epochs=1)
        assert equal(weights(one), weights(other))

    def test_a_loss_that_is_no_tensor(self, make, classes):
        with pytest.raises(BatchError, match="must be a Tensor, not float"):
            make(loss_fn=lambda outputs, targets: 1.0).fit(classes[0], epochs=1)


class TestNotFinite:
    def bad(self, classes, at):
        train = list(classes[0])
        train[at] = (tensor(train[at][0].array * np.float32(np.inf)), train[at][1])
        return train

    def test_a_loss_stops_the_run_before_the_step(self, make, classes, tmp_path):
        trainer = make(checkpoints=tmp_path, checkpoint_every=1)
        train = self.bad(classes, 3)
        trainer.fit(classes[0], epochs=1)
        with (
            np.errstate(invalid="ignore"),
            pytest.raises(NonFiniteError, match="the loss is nan after step 11, in epoch 1, batch 3"),
        ):
            trainer.fit(train, epochs=2)
        assert trainer.step == 11
        store = CheckpointStore(tmp_path)
        assert [path.name for path in store.checkpoints()][-1] == "step-00000011.safetensors"
        assert equal(
            weights(trainer), [store.load()["model"][n].array for n, _ in trainer.model.named_parameters()]
        )

    def test_the_error_has_the_numbers(self, make, classes):
        with np.errstate(invalid="ignore"), pytest.raises(NonFiniteError) as caught:
            make().fit(self.bad(classes, 2), epochs=1)
        error = caught.value
        assert (error.step, error.epoch, error.batch) == (2, 0, 2)
        assert math.isnan(error.value) and isinstance(error, FloatingPointError)

    def test_a_gradient_that_is_to_be_clipped(self, make, classes):
        class Poison(tt_tensor.Function):
            def forward(self, x):
                return x * 1

            def backward(self, grad):
                return grad * np.inf

        class Model(tt_nn.Module):
            def __init__(self):
                self.layer, self.calls = tt_nn.Linear(4, 3), 0

            def forward(self, x):
                self.calls += 1
                return Poison()(self.layer(x)) if self.calls == 4 else self.layer(x)

        trainer = make(model=Model(), clip_norm=1.0)
        with (
            np.errstate(invalid="ignore"),
            pytest.raises(NonFiniteError, match=r"the gradient's norm is (nan|inf) after step 3"),
        ):
            trainer.fit(classes[0], epochs=1)
        assert all(np.isfinite(array).all() for array in weights(trainer))

    def test_weights_that_are_lost_take_no_good_checkpoints_place(self, make, classes, tmp_path):
        class Break(Callback):
            def on_step_end(self, trainer):
                if trainer.step == 5:
                    trainer.model[0].weight.array[0, 0] = np.nan

        trainer = make(
            checkpoints=CheckpointStore(tmp_path, keep_last=1), checkpoint_every=1, callbacks=[Break()]
        )
        with pytest.raises(NonFiniteError, match=r"the weight 0\.weight is nan after step 5"):
            trainer.fit(classes[0], epochs=1)
        assert [p.name for p in CheckpointStore(tmp_path).checkpoints()] == ["step-00000004.safetensors"]


class TestModes:
    def test_what_was_frozen_stays_so_and_evaluation_leaves_no_trace(self, classes):
        seen = []

        class Watch(tt_nn.Module):
            def forward(self, x):
                seen.append(self.training)
                return x

        model = tt_nn.Sequential(tt_nn.Linear(4, 3), Watch(), Watch())
        model[1].eval()
        trainer = Trainer(
            model, tt_nn.CrossEntropyLoss(), tt_optim.SGD(model.parameters(), lr=0.1), progress=False
        )
        train, val = classes
        trainer.fit(train[:1], val[:1], epochs=2)
        assert seen == [False, True, False, False] * 2
        assert (model.training, model[1].training, model[2].training) == (True, False, True)

    def test_a_model_in_eval_mode_is_trained_in_train_mode(self, make, classes, network):
        model = network(dropout=0.5).eval()
        seen = []
        model[2].register_forward_hook(lambda module, args, output: seen.append(module.training))
        make(model=model).fit(classes[0], epochs=1)
        assert set(seen) == {True} and not model.training and not model[2].training

    def test_modes_come_back_after_an_error_in_evaluation(self, make, classes):
        class Fails(Metric):
            name = "fails"

            def zero(self):
                return {}

            def update(self, outputs, targets):
                raise RuntimeError("mine")

        trainer = make(metrics=[Fails()], train_metrics=False)
        trainer.model[1].eval()
        with pytest.raises(RuntimeError, match="mine"):
            trainer.fit(*classes, epochs=1)
        assert trainer.model.training and not trainer.model[1].training

    def test_nothing_is_recorded_in_evaluation(self, make, classes):
        trainer = make()
        outputs = []
        trainer.model.register_forward_hook(lambda module, args, output: outputs.append(output))
        trainer.evaluate(classes[1])
        trainer.predict(classes[1])
        assert all(output.is_leaf for output in outputs)


class TestEvaluateAndPredict:
    def test_evaluate_is_exact_however_the_data_are_cut(self, make, classes):
        train, _ = classes
        x, y = (np.concatenate([pair[part].array for pair in train]) for part in (0, 1))
        trainer = make(metrics=[Accuracy()])
        whole = trainer.evaluate([(tensor(x), tensor(y))])
        for size in (1, 2, 7, 60):
            cut = [(tensor(x[at : at + size]), tensor(y[at : at + size])) for at in range(0, 61, size)]
            found = trainer.evaluate(cut)
            assert found["accuracy"] == whole["accuracy"]
            assert found["loss"] == pytest.approx(whole["loss"], rel=1e-6)

    def test_other_metrics(self, make, classes):
        found = make().evaluate(classes[1], [Accuracy(name="right")])
        assert set(found) == {"loss", "right"}

    def test_predict_joins_the_batches(self, make, classes):
        train, _ = classes
        trainer = make()
        x = np.concatenate([x.array for x, _ in train])
        wanted = trainer.model(tensor(x)).array
        for data in (train, [x for x, _ in train], [x.array for x, _ in train], lambda: iter(train)):
            np.testing.assert_allclose(trainer.predict(data).array, wanted, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(trainer.predict(x).array, wanted, rtol=1e-5, atol=1e-6)
        assert isinstance(trainer.predict(tensor(x)), Tensor)

    def test_predict_joins_each_part_of_several_outputs(self):
        class Parts(tt_nn.Module):
            def forward(self, x):
                return {"twice": 2 * x, "pair": (x, x.sum())}

        weight = tt_nn.Linear(1, 1)
        model = tt_nn.Sequential(weight, Parts())
        trainer = Trainer(model, tt_nn.MSELoss(), tt_optim.SGD(model.parameters(), lr=0.1), progress=False)
        found = trainer.predict([tensor([[1.0], [2.0]]), tensor([[3.0]])])
        assert found["twice"].shape == (3, 1) and found["pair"][0].shape == (3, 1)
        assert found["pair"][1].shape == (2,)

    @pytest.mark.parametrize("method", ["evaluate", "predict"])
    def test_no_batch(self, make, method):
        with pytest.raises(ArgumentError, match="no batch"):
            getattr(make(), method)([])

    def test_a_pair_of_tensors_is_no_list_of_batches(self, make, classes):
        with pytest.raises(BatchError, match=r"pass \[\(x, y\)\]"):
            make().evaluate(classes[0][0])

    def test_the_averaged_weights_are_used_and_given_back(self, make, classes):
        train, val = classes
        trainer = make(ema=0.9)
        trainer.fit(train, val, epochs=2)
        own = weights(trainer)
        found, predicted = trainer.evaluate(val), trainer.predict(val)
        assert equal(weights(trainer), own)
        trainer.ema.copy_to_model()
        plain = Trainer(
            trainer.model, trainer.loss_fn, tt_optim.SGD(trainer.model.parameters()), progress=False
        )
        assert plain.evaluate(val) == found and equal([plain.predict(val).array], [predicted.array])
        assert trainer.history["val_loss"][-1] == found["loss"]


class TestBest:
    """A schedule that first helps and then ruins: the best is in the middle."""

    def trainer(self, make, network, **options):
        model = network()
        optimizer = tt_optim.SGD(model.parameters(), lr=0.3)
        schedule = tt_optim.LambdaLR(optimizer, lambda epoch: 1.0 if epoch < 4 else -2.0)
        return make(model=model, optimizer=optimizer, scheduler=schedule, schedule_every="epoch", **options)

    @pytest.mark.parametrize("stored", [False, True])
    @pytest.mark.parametrize(
        ("monitor", "mode"), [(None, "min"), ("val_accuracy", "max"), ("val_loss", "min")]
    )
    def test_the_best_weights_come_back(self, make, network, classes, tmp_path, stored, monitor, mode):
        kept = {}

        class Keep(Callback):
            def on_evaluate_end(self, trainer, results):
                kept[trainer.step] = weights(trainer)

        options = {"checkpoints": tmp_path} if stored else {}
        trainer = self.trainer(
            make, network, monitor=monitor, metrics=[Accuracy()], callbacks=[Keep()], **options
        )
        trainer.fit(*classes, epochs=8)
        steps, values = trainer.history.column(monitor or "val_loss")
        wanted = steps[(np.argmin if mode == "min" else np.argmax)(values)]
        assert 0 < wanted < steps[-1], "the case is no case"
        assert not equal(weights(trainer), kept[wanted])
        assert trainer.best.step == wanted and trainer.restore_best() == wanted
        assert equal(weights(trainer), kept[wanted])

    @pytest.mark.parametrize("stored", [False, True])
    def test_with_an_average_the_best_is_one_of_those(self, make, network, classes, tmp_path, stored):
        options = {"checkpoints": tmp_path} if stored else {}
        trainer = self.trainer(make, network, ema=0.5, **options)
        trainer.fit(*classes, epochs=8)
        trainer.restore_best()
        plain = Trainer(
            trainer.model, trainer.loss_fn, tt_optim.SGD(trainer.model.parameters()), progress=False
        )
        assert plain.evaluate(classes[1])["loss"] == min(trainer.history["val_loss"])

    def test_without_validation_it_is_the_loss_of_training(self, make, network, classes, tmp_path):
        trainer = self.trainer(make, network, checkpoints=tmp_path)
        trainer.fit(classes[0], epochs=8)
        steps, values = trainer.history.column("loss")
        assert trainer.restore_best() == steps[np.argmin(values)]

    def test_nothing_kept(self, make, classes):
        for options in ({}, {"keep_best": False}):
            trainer = make(**options)
            if options:
                trainer.fit(*classes, epochs=1)
            with pytest.raises(ArgumentError, match="no weights were kept"):
                trainer.restore_best()

    def test_a_figure_that_is_not_there(self, make, classes):
        with pytest.raises(ArgumentError, match="no figure 'val_f1'"):
            make(monitor="val_f1")
        with pytest.raises(ArgumentError, match="there is no validation"):
            make(monitor="val_loss").fit(classes[0], epochs=1)
        with pytest.raises(ArgumentError, match="less or more"):
            make(monitor="val_confusion_matrix", metrics=[ConfusionMatrix(3)])


class TestCheckpoints:
    def names(self, folder):
        return [int(path.stem[5:]) for path in CheckpointStore(folder).checkpoints()]

    @pytest.mark.parametrize(
        ("every", "wanted"),
        [
            ("epoch", [8, 16, 20]),
            (7, [7, 14, 20]),
            (Every(steps=7, epochs=1), [7, 8, 14, 16, 20]),
            (None, [20]),
            (Every(seconds=1e-9), list(range(1, 21))),
            (Every(seconds=1e9), [20]),
        ],
    )
    def test_when_they_are_written(self, make, classes, tmp_path, every, wanted):
        store = CheckpointStore(tmp_path, keep_last=100)
        paths = []

        class Note(Callback):
            def on_checkpoint(self, trainer, path):
                assert path.is_file()
                paths.append(path)

        make(checkpoints=store, checkpoint_every=every, keep_best=False, callbacks=[Note()]).fit(
            classes[0], steps=20
        )
        assert self.names(tmp_path) == wanted
        assert {int(path.stem[5:]) for path in paths} == set(wanted)

    def test_a_new_best_is_written_out_of_turn(self, make, classes, tmp_path):
        store = CheckpointStore(tmp_path, keep_last=100)
        trainer = make(checkpoints=store, checkpoint_every=None)
        trainer.fit(*classes, epochs=3)
        assert self.names(tmp_path) == [8, 16, 24]  # each epoch was better than the one before

    def test_on_demand(self, make, classes, tmp_path):
        class Save(Callback):
            def on_step_end(self, trainer):
                if trainer.step == 3:
                    trainer.save()

        trainer = make(checkpoints=tmp_path, checkpoint_every=None, keep_best=False, callbacks=[Save()])
        trainer.fit(classes[0], epochs=1)
        assert self.names(tmp_path) == [3, 8]
        with pytest.raises(ArgumentError, match="only during fit"):
            trainer.save()

    def test_the_weights_alone_can_be_taken_over(self, make, classes, tmp_path, network):
        trainer = make(checkpoints=tmp_path)
        trainer.fit(classes[0], epochs=1)
        model = network(seed=5)
        model.load_state_dict(CheckpointStore(tmp_path).load()["model"])
        assert equal([p.array for p in model.parameters()], weights(trainer))

    def test_places_that_do_not_go_together(self, make, classes, tmp_path):
        with pytest.raises(ArgumentError, match="resume=True needs to know where"):
            make().fit(classes[0], epochs=1, resume=True)
        with pytest.raises(ArgumentError, match="mode='min'"):
            make(
                checkpoints=CheckpointStore(tmp_path, mode="min"),
                monitor="val_accuracy",
                metrics=[Accuracy()],
            )
        (tmp_path / "log").write_text('{"kind": "epoch", "step": 1}\n')
        with pytest.raises(HistoryError, match="holds the history of a run"):
            make(history=tmp_path / "log").fit(classes[0], epochs=1)

    def test_the_history_lies_beside_them_or_where_one_says(self, make, classes, tmp_path):
        make(checkpoints=tmp_path / "a").fit(classes[0], epochs=2)
        assert len(History.read(tmp_path / "a" / "history.jsonl")) == 2
        make(checkpoints=tmp_path / "b", history=tmp_path / "lines").fit(classes[0], epochs=2)
        assert len(History.read(tmp_path / "lines")) == 2


class TestSchedules:
    def test_by_step_and_by_epoch(self, make, classes, network):
        for every, wanted in (("step", [0.1 * 0.9**7, 0.1 * 0.9**15]), ("epoch", [0.1, 0.09])):
            model = network()
            optimizer = tt_optim.SGD(model.parameters(), lr=0.1)
            schedule = tt_optim.ExponentialLR(optimizer, 0.9)
            trainer = make(model=model, optimizer=optimizer, scheduler=schedule, schedule_every=every)
            trainer.fit(classes[0], epochs=2)
            assert trainer.history["lr"] == pytest.approx(wanted)

    def test_by_steps_of_the_optimizer_where_batches_are_accumulated(self, make, classes, network):
        model = network()
        optimizer = tt_optim.SGD(model.parameters(), lr=0.1)
        schedule = tt_optim.ExponentialLR(optimizer, 0.9)
        trainer = make(model=model, optimizer=optimizer, scheduler=schedule, accumulate=3)
        trainer.fit(classes[0], epochs=2)
        assert schedule.last_epoch == trainer.step == 6

    @pytest.mark.parametrize("validated", [True, False])
    def test_a_plateau(self, make, classes, network, validated):
        model = network()
        optimizer = tt_optim.SGD(model.parameters(), lr=0.0)
        optimizer.param_groups[0]["lr"] = 1e-30
        schedule = tt_optim.ReduceLROnPlateau(optimizer, patience=1, eps=0.0)
        trainer = make(model=model, optimizer=optimizer, scheduler=schedule, schedule_every="epoch")
        trainer.fit(classes[0], classes[1] if validated else None, epochs=6)
        assert trainer.history["lr"] == pytest.approx([1e-30, 1e-30, 1e-30, 1e-31, 1e-31, 1e-32])
        loss = min(trainer.history["val_loss" if validated else "loss"])
        assert schedule.best == pytest.approx(loss)

    def test_what_does_not_go_together(self, make, network):
        model = network()
        optimizer, other = (tt_optim.SGD(model.parameters(), lr=0.1) for _ in range(2))
        with pytest.raises(ArgumentError, match="schedule_every='epoch'"):
            make(model=model, optimizer=optimizer, scheduler=tt_optim.ReduceLROnPlateau(optimizer))
        with pytest.raises(ArgumentError, match="another optimizer"):
            make(model=model, optimizer=optimizer, scheduler=tt_optim.ExponentialLR(other, 0.9))
        with pytest.raises(DTypeError, match="LRScheduler"):
            make(model=model, optimizer=optimizer, scheduler=0.1)


class TestArguments:
    @pytest.mark.parametrize(
        ("options", "error", "words"),
        [
            ({"accumulate": 0}, ArgumentError, "accumulate"),
            ({"clip_norm": 0.0}, ArgumentError, "clip_norm"),
            ({"clip_norm": 1.0, "clip_value": 1.0}, ArgumentError, "not both"),
            ({"metrics": ["accuracy"]}, DTypeError, "is a Metric"),
            ({"metrics": "accuracy"}, DTypeError, "not 'accuracy'"),
            ({"metrics": [Accuracy(), Accuracy()]}, ArgumentError, "taken"),
            ({"metrics": [Accuracy(name="loss")]}, ArgumentError, "taken"),
            ({"callbacks": [print]}, DTypeError, "Callback"),
            ({"ema": 1.0}, ArgumentError, "decay"),
            ({"ema": EMA(tt_nn.Linear(1, 1))}, ArgumentError, "another model"),
            ({"schedule_every": "batch"}, ArgumentError, "schedule_every"),
            ({"checkpoint_every": "hour"}, ArgumentError, "checkpoint_every"),
            ({"progress": "loud"}, ArgumentError, "progress"),
            ({"seed": -1}, ArgumentError, "seed"),
            ({"loss_fn": tt_nn.MSELoss(reduction="none")}, ArgumentError, "one number"),
            ({"loss_fn": tt_nn.MSELoss}, DTypeError, r"make a loss of it: MSELoss\(\)"),
            ({"callbacks": None}, DTypeError, "not None"),
            ({"forward": "model"}, DTypeError, "not str"),
            ({"mode": "best"}, ArgumentError, "mode"),
        ],
    )
    def test_refused(self, make, options, error, words):
        with pytest.raises(error, match=words):
            make(**options)

    def test_a_single_callback_or_metric_needs_no_list(self, make, classes):
        trainer = make(callbacks=EarlyStopping("loss"), metrics=Accuracy())
        assert trainer.fit(classes[0], epochs=1, resume=None)["accuracy"]
        assert set(trainer.evaluate(classes[0], Accuracy(name="right"))) == {"loss", "right"}
        assert make(callbacks=(one for one in [EarlyStopping("loss")])).callbacks.all
        with pytest.raises(DTypeError, match="a metric is a Metric"):
            trainer.evaluate(classes[0], ["accuracy"])

    def test_what_a_users_function_returns(self, make, classes):
        for found, told in ((None, "NoneType"), (tensor(1.0), "Tensor"), ((1, 2, 3), "3 things")):
            with pytest.raises(BatchError, match=f"not {told}"):
                make(forward=lambda model, batch, found=found: found).fit(classes[0], epochs=1)
        with pytest.raises(BatchError, match="must be a Tensor, not float"):
            make(loss_fn=lambda outputs, targets: 1.0).evaluate(classes[0])
        with pytest.raises(BatchError, match="returned NoneType"):
            make().fit(lambda: None, epochs=1)

    def test_a_matrix_has_no_best(self, make, classes):
        matrix = ConfusionMatrix(3)
        early = EarlyStopping("confusion_matrix")
        for options in ({"monitor": "confusion_matrix", "mode": "max"}, {"callbacks": [early]}):
            with pytest.raises(ArgumentError, match="no single number"):
                make(metrics=[matrix], **options).fit(classes[0], epochs=1)

    def test_a_history_in_a_folder_that_is_not_there_yet(self, make, classes, tmp_path):
        make(history=tmp_path / "new" / "of today" / "lines.jsonl").fit(classes[0], epochs=1)
        assert len(History.read(tmp_path / "new" / "of today" / "lines.jsonl")) == 1
        with pytest.raises(HistoryError, match="is a folder"):
            make(history=tmp_path).fit(classes[0], epochs=1)

    def test_a_model_and_an_optimizer_that_belong_together(self, make, network):
        with pytest.raises(DTypeError, match="must be a Module"):
            Trainer(lambda x: x, tt_nn.MSELoss(), tt_optim.SGD(network().parameters()))
        with pytest.raises(DTypeError, match="must be an Optimizer"):
            Trainer(network(), tt_nn.MSELoss(), "sgd")
        with pytest.raises(ArgumentError, match="none of the model's"):
            make(model=network(), optimizer=tt_optim.SGD(network().parameters(), lr=0.1))


def test_the_seed_makes_two_runs_one(network, classes, make):
    runs = []
    for _ in range(2):
        trainer = make(model=network(dropout=0.0), seed=3)
        trainer.model[2] = tt_nn.Dropout(0.5)  # from the process-wide generator
        trainer.fit(lambda: tt_tensor.randperm(8).tolist() and iter(classes[0]), epochs=2)
        runs.append(weights(trainer))
    assert equal(*runs)


def test_parameters_that_no_optimizer_moves_get_no_heap_of_gradients(network, classes, make):
    model = network()
    trainer = make(model=model, optimizer=tt_optim.SGD(model[3].parameters(), lr=0.1))
    norms = []

    class Norm(Callback):
        def on_before_step(self, trainer):
            norms.append(float(abs(trainer.model[0].weight.grad).sum().item()))

    trainer.callbacks._listeners["on_before_step"].append(Norm().on_before_step)
    trainer.fit([classes[0][0]] * 6, epochs=1)
    assert norms[-1] < 3 * norms[0]
