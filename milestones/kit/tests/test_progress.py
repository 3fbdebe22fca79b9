"""Progress: plain and throttled in a file, moving in a terminal, silent when quiet."""

from __future__ import annotations

import io

import pytest

from milestone_kit.progress import Progress, duration
from milestone_kit.screen import Screen


class Clock:
    """Time that passes when told."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def train(screen, steps=1000, seconds_a_step=0.01):
    clock = Clock()
    with Progress(screen, steps, "training", clock=clock) as bar:
        for step in range(1, steps + 1):
            clock.now += seconds_a_step
            bar.update(step, loss=1 / step, right=f"{step % 5} of 4")


def test_plain_lines_are_throttled_and_end_with_the_last_step():
    stream = io.StringIO()
    train(Screen(stream))
    lines = stream.getvalue().splitlines()
    assert 4 <= len(lines) <= 6  # 10 s, a line every 2 s, and the last
    assert lines[0].startswith("training  200/1000 steps  loss 0.005  right 0 of 4  100 steps/s  8.0 s left")
    assert lines[-1] == "training  1000/1000 steps  loss 0.001  right 0 of 4  100 steps/s  10 s"
    assert "\x1b" not in stream.getvalue()
    assert "\r" not in stream.getvalue()


def test_what_was_done_before_says_nothing_about_the_rate():
    stream, clock = io.StringIO(), Clock()
    with Progress(Screen(stream), 1000, "training", clock=clock) as bar:
        bar.go_on_from(900)
        clock.now += 5
        bar.update(950)
        clock.now += 5
        bar.update(1000)
    assert stream.getvalue().splitlines() == [
        "training  950/1000 steps  10 steps/s  5.0 s left",
        "training  1000/1000 steps  10 steps/s  0.0 s left",
        "training  1000/1000 steps  10 steps/s  10 s",
    ]


def test_nothing_left_to_do_is_no_rate():
    stream, clock = io.StringIO(), Clock()
    with Progress(Screen(stream), 1000, "training", clock=clock) as bar:
        bar.go_on_from(1000)
        clock.now += 1
    assert stream.getvalue() == "training  1000/1000 steps\n"


def test_a_terminal_gets_a_moving_bar_with_everything_on_it(terminal):
    train(Screen(terminal))
    shown = terminal.getvalue()
    assert "\x1b[" in shown
    for part in ("training", "1000/1000 steps", "loss 0.001", "100 steps/s", "left"):
        assert part in shown
    assert shown.rstrip("\n").endswith("\x1b[?25h") or "\x1b[?25h" in shown  # the cursor is back


def test_the_cursor_comes_back_after_an_interrupt(terminal):
    with pytest.raises(KeyboardInterrupt), Progress(Screen(terminal), 10, "training"):
        raise KeyboardInterrupt
    assert "\x1b[?25h" in terminal.getvalue()


def test_a_dumb_terminal_gets_plain_lines(terminal, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    train(Screen(terminal))
    assert "\x1b" not in terminal.getvalue()
    assert terminal.getvalue().count("\n") > 3


def test_quiet_is_silent_even_in_a_terminal(terminal):
    train(Screen(terminal, quiet=True))
    assert terminal.getvalue() == ""


def test_nothing_to_do_is_no_error(terminal):
    for stream in (io.StringIO(), terminal):
        with Progress(Screen(stream), 0, "training"):
            pass
        assert "0/0 steps" in stream.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (59, "59 s"), (185, "3 min 05 s")]
)
def test_durations_are_for_people(seconds, text):
    assert duration(seconds) == text
