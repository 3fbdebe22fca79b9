"""A real Ctrl-C to a real process."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from milestone_kit.interrupt import silent_interrupt, two_step_interrupt

posix_signals = pytest.mark.skipif(
    os.name == "nt", reason="Windows delivers Ctrl-C to a whole console, the tests included"
)

PROGRAM = """
import signal, sys, time
if "--ignored-before" in sys.argv:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
from milestone_kit import Milestone
from milestone_kit.pictures import curves
def run(session):
    session.picture("loss.png", curves({"loss": ([0, 1], [1, 0])}))
    session.figure("cases", 4, at_least=4)
    try:
        with session.progress(100, "training") as bar:
            bar.update(1)
            session.say("ready")
            time.sleep(60)
    finally:
        if "--slow-to-stop" in sys.argv:
            session.say("stopping")
            time.sleep(60)
def add_options(parser):
    parser.add_argument("--slow-to-stop", action="store_true")
    parser.add_argument("--ignored-before", action="store_true")
milestone = Milestone("toy", year=1958, about="a toy", run=run, add_options=add_options)
sys.exit(milestone.main())
"""


def wait_for(child, word):
    for line in child.stdout:
        if word in line:
            return
    pytest.fail(f"the program ended without saying {word!r}: {child.stderr.read()}")


@posix_signals
@pytest.mark.parametrize("arguments", [[], ["--ignored-before"]], ids=["foreground", "background"])
def test_ctrl_c_exits_130_and_writes_nothing(arguments, start, tmp_path):
    child = start(PROGRAM, "--out", "out", *arguments)
    wait_for(child, "ready")
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=30)
    assert child.returncode == 130
    assert err == "milestone-toy: interrupted\n"
    assert not (tmp_path / "out").exists()


@posix_signals
def test_ctrl_c_leaves_the_results_of_the_run_before_as_they_were(start, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/figures.json").write_text("before", encoding="utf-8")
    child = start(PROGRAM, "--out", "out")
    wait_for(child, "ready")
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=30)
    assert child.returncode == 130
    assert [(p.name, p.read_text(encoding="utf-8")) for p in (tmp_path / "out").iterdir()] == [
        ("figures.json", "before")
    ]


@posix_signals
def test_a_second_ctrl_c_exits_at_once(start):
    child = start(PROGRAM, "--slow-to-stop")
    wait_for(child, "ready")
    child.send_signal(signal.SIGINT)
    wait_for(child, "stopping")
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=30)
    assert child.returncode == 130


@pytest.mark.parametrize("place", ["add_options", "check"])
def test_ctrl_c_before_the_run_is_130_too(place, milestone, tmp_path, capsys):
    """While arguments are read, which may import much: one line, no traceback."""

    def interrupted(_):
        raise KeyboardInterrupt

    made = milestone(lambda session: None, **{place: interrupted})
    assert made.main(["--out", str(tmp_path / "out")]) == 130
    assert capsys.readouterr().err.endswith(": interrupted\n")
    assert not (tmp_path / "out").exists()


@posix_signals
def test_ctrl_c_while_it_is_imported_shows_no_traceback(start):
    child = start("""
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
class CtrlC:
    def find_spec(self, name, path=None, target=None):
        if name == "milestone_kit.progress":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, CtrlC())
import milestone_kit
""")
    _, err = child.communicate(timeout=30)
    assert (child.returncode, err) == (-signal.SIGINT, "")


def test_importing_leaves_the_handler_as_it_was():
    for handler in (signal.default_int_handler, signal.SIG_IGN):
        before = signal.signal(signal.SIGINT, handler)
        try:
            with silent_interrupt():
                pass
            assert signal.getsignal(signal.SIGINT) is handler
        finally:
            signal.signal(signal.SIGINT, before)


def test_a_keyboard_interrupt_is_130_on_every_system(milestone, tmp_path, capsys):
    def run(session):
        raise KeyboardInterrupt

    assert milestone(run).main(["--out", str(tmp_path / "out")]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_interrupt_may_say_how_to_go_on_and_by_which_signal(milestone, tmp_path, capsys):
    class Terminated(KeyboardInterrupt):
        code = 143

    def run(session):
        raise Terminated("after step 7; go on with --resume")

    assert milestone(run).main(["--out", str(tmp_path / "out")]) == 143
    assert capsys.readouterr().err == "milestone-toy: interrupted after step 7; go on with --resume\n"


def test_the_handler_before_comes_back():
    def mine(number, frame):
        raise AssertionError("not to be called")

    before = signal.signal(signal.SIGINT, mine)
    try:
        with two_step_interrupt():
            assert signal.getsignal(signal.SIGINT) is not mine
        assert signal.getsignal(signal.SIGINT) is mine
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with two_step_interrupt():
            assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_milestone_runs_outside_the_main_thread(milestone, tmp_path):
    codes = []

    def run(session):
        session.figure("cases", 4, at_least=4)

    program = milestone(run)
    thread = threading.Thread(target=lambda: codes.append(program.main(["--out", str(tmp_path), "--quiet"])))
    thread.start()
    thread.join()
    assert codes == [0]
