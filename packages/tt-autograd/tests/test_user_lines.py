"""Line.here: the user's line, and nothing of the user's variables."""

import gc
import weakref

from tt_autograd.user_lines import Line


def test_it_names_file_line_and_the_part_that_runs():
    start = test_it_names_file_line_and_the_part_that_runs.__code__.co_firstlineno
    both = [start, Line.here()]
    line = both[1]
    assert (line.filename, line.lineno) == (__file__, start + 2)
    head, text, carets = str(line).splitlines()
    assert head == f'  File "{__file__}", line {start + 2}, in test_it_names_file_line_and_the_part_that_runs'
    assert text == "    both = [start, Line.here()]"
    # Since 3.13 what is called has another mark than the call.
    assert carets.rstrip().replace("~", "^") == " " * text.index("Line") + "^" * len("Line.here()")


def test_in_a_statement_of_several_lines_it_is_the_line_of_the_call():
    line = [
        1,
        2,
        Line.here(),
    ][2]
    start = test_in_a_statement_of_several_lines_it_is_the_line_of_the_call.__code__.co_firstlineno
    assert line.lineno == start + 4


def made_in(name):
    """A function whose frame says that it belongs to module `name`."""
    scope = {"__name__": name}
    exec(compile("def call(f):\n    return f()\n", f"<{name}>", "exec"), scope)
    return scope["call"]


def test_frames_of_the_wheels_and_of_numpy_are_passed_over():
    for name in ("tt_nn.linear", "tt_vision", "numpy._core.fromnumeric"):
        assert made_in(name)(Line.here).filename == __file__
    assert made_in("my_tt_model")(Line.here).filename == "<my_tt_model>"


def test_code_without_a_file_is_named_without_its_text():
    line = made_in("typed")(Line.here)
    assert str(line) == '  File "<typed>", line 2, in call'


def test_no_variable_is_kept_alive():
    class Big:
        pass

    def asked():
        big = Big()
        return Line.here(), weakref.ref(big)

    gc.disable()
    try:
        line, big = asked()
        assert big() is None
    finally:
        gc.enable()
    assert line.lineno
