"""The display: live in a terminal, plain lines elsewhere, silence on request."""

import io
import re
import sys

import pytest

import tt_nn
import tt_optim
from tt_optim.training import Accuracy, Trainer
from tt_optim.training.progress import Display, display_of, duration


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    """A second more at each look."""

    def __init__(self, step=1.0):
        self.now, self.step = 0.0, step

    def __call__(self):
        self.now += self.step
        return self.now


def shown(network, classes, display, **options):
    train, val = classes
    model = network()
    trainer = Trainer(
        model,
        tt_nn.CrossEntropyLoss(),
        tt_optim.SGD(model.parameters(), lr=0.0),
        metrics=[Accuracy()],
        callbacks=[display],
        progress=False,
        **options,
    )
    trainer.fit(train, val, epochs=2)
    return trainer


def test_plain_lines_every_two_seconds_and_at_the_end(network, classes):
    stream = io.StringIO()
    trainer = shown(network, classes, Display(stream, False, Clock(0.6)))
    lines = stream.getvalue().splitlines()
    # 18 looks of 0.6 s, one line after each two seconds.
    assert len(lines) == 5
    assert lines[0].startswith("epoch 1/2  step 4/16  loss ")
    assert lines[0].endswith("s left") and " samples/s  " in lines[0]
    final = lines[-1]
    assert final.startswith("epoch 2/2  step 16/16  loss ")
    assert f"accuracy {trainer.results['accuracy']:.4g}  val_loss {trainer.results['val_loss']:.4g}" in final
    assert "left" not in final


def test_samples_a_second_and_time_left(network, classes):
    stream = io.StringIO()
    shown(network, classes, Display(stream, False, Clock(2.0)))
    # After the first step: 8 samples in 2 s, 15 steps of 2 s to go.
    assert stream.getvalue().splitlines()[0].endswith("  4 samples/s  30 s left")


def test_a_live_display_leaves_the_terminal_in_order(network, classes):
    stream = Terminal()
    display = Display(stream, True)
    shown(network, classes, display)
    written = stream.getvalue()
    assert "step 16/16" in written
    assert written.endswith("\n") or "\x1b[?25h" in written
    assert written.count("\x1b[?25l") == written.count("\x1b[?25h") == 1  # the cursor is back
    assert display._rich is None


@pytest.mark.parametrize("width", [60, 90, 120, 200])
def test_where_it_is_narrow_the_figures_are_cut_and_not_the_time(network, classes, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    stream = Terminal()
    display = Display(stream, True)
    display.every = 0.0
    shown(network, classes, display)
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue())
    lines = [line for line in re.split(r"[\r\n]+", plain) if "step 9/16" in line]
    assert lines
    for line in lines:
        assert len(line.rstrip()) <= width and line.rstrip().endswith(" left")
        assert ("…" in line) == (60 < width < 150)


def test_after_an_error_the_cursor_is_back(network, classes):
    stream = Terminal()
    train, _ = classes
    with pytest.raises(ValueError, match="shape"):
        shown(network, (train, [(train[0][0], train[1][0])]), Display(stream, True))
    assert stream.getvalue().count("\x1b[?25l") == stream.getvalue().count("\x1b[?25h") == 1


def test_why_it_stopped_is_said(network, classes):
    stream = io.StringIO()
    train, _ = classes
    model = network()
    trainer = Trainer(
        model, tt_nn.CrossEntropyLoss(), tt_optim.SGD(model.parameters()), callbacks=[Display(stream, False)],
        progress=False,
    )  # fmt: skip
    trainer.callbacks._listeners["on_step_end"].append(lambda trainer: trainer.stop("the tea is ready"))
    trainer.fit(train, epochs=1)
    assert stream.getvalue().splitlines()[-1] == "stopped: the tea is ready"


def test_which_display(monkeypatch):
    assert display_of(False) == []
    assert display_of("auto", Terminal())[0].live and not display_of("auto", io.StringIO())[0].live
    assert display_of(True, io.StringIO())[0].live and not display_of("plain", Terminal())[0].live
    monkeypatch.setenv("TERM", "dumb")
    assert not display_of("auto", Terminal())[0].live


def test_silence_is_silence(network, classes, capfd):
    train, val = classes
    model = network()
    Trainer(model, tt_nn.CrossEntropyLoss(), tt_optim.SGD(model.parameters(), lr=0.1), progress=False).fit(
        train, val, epochs=1
    )
    assert capfd.readouterr() == ("", "")


def test_by_default_it_speaks_on_stderr(network, classes, capsys):
    train, val = classes
    model = network()
    Trainer(model, tt_nn.CrossEntropyLoss(), tt_optim.SGD(model.parameters(), lr=0.1)).fit(
        train, val, epochs=1
    )
    out, errors = capsys.readouterr()
    assert out == "" and errors.startswith("epoch 1/1  step 8/8  loss")
    assert sys.stderr is not None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0.0 s"),
        (0.44, "0.4 s"),
        (12.3, "12 s"),
        (59.4, "59 s"),
        (65, "1 min 05 s"),
        (7500, "2 h 05 min"),
    ],
)
def test_durations_for_people(seconds, words):
    assert duration(seconds) == words
