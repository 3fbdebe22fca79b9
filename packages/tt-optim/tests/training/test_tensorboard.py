"""Event files that TensorBoard can read, written by tensorboardX."""

import struct

import pytest

import tt_nn
import tt_optim
from tt_optim.training import Accuracy, TensorBoard, Trainer

pytest.importorskip("tensorboardX")


def points(folder):
    """{tag: [(step, value)]} of all event files, in the order of the files."""
    from tensorboardX.proto.event_pb2 import Event

    found = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            event = Event.FromString(data[12 : 12 + length])
            data = data[16 + length :]
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def trained(network, classes, folder, **options):
    model = network()
    trainer = Trainer(
        model,
        tt_nn.CrossEntropyLoss(),
        tt_optim.SGD(model.parameters(), lr=0.1),
        metrics=[Accuracy()],
        clip_norm=1.0,
        callbacks=[TensorBoard(folder / "events", every=4)],
        checkpoints=folder / "checkpoints",
        progress=False,
    )
    trainer.fit(*classes, **options)
    return trainer


def test_every_figure_is_a_curve(network, classes, tmp_path):
    trainer = trained(network, classes, tmp_path, epochs=2)
    found = points(tmp_path / "events")
    assert [step for step, _ in found["train/loss"]] == [4, 8, 12, 16]
    assert [step for step, _ in found["train/grad_norm"]] == [4, 8, 12, 16]
    assert [value for _, value in found["train/lr"]] == [pytest.approx(0.1)] * 4
    for tag, name in (("val/loss", "val_loss"), ("val/accuracy", "val_accuracy"), ("epoch/loss", "loss")):
        steps, values = trainer.history.column(name)
        assert [step for step, _ in found[tag]] == steps == [8, 16]
        assert [value for _, value in found[tag]] == pytest.approx(values)


def test_a_resumed_run_goes_on(network, classes, tmp_path):
    trained(network, classes, tmp_path, epochs=1)
    trained(network, classes, tmp_path, epochs=2, resume=True)
    assert sorted(step for step, _ in points(tmp_path / "events")["train/loss"]) == [4, 8, 12, 16]
