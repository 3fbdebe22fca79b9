"""The way in: light without the training loop, and a word on what to install where a part of it is missing."""

import json
import subprocess
import sys

import pytest

HEAVY = ["tt_autograd", "rich", "matplotlib", "safetensors", "tensorboardX"]


def run(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_optimizers_alone_import_nothing_of_the_loop():
    program = f"import sys, json, tt_optim; print(json.dumps([n for n in {HEAVY} if n in sys.modules]))"
    assert json.loads(run(program)) == []


def test_without_the_tape_the_error_names_the_extra():
    program = (
        "import sys; sys.modules['tt_autograd'] = None\n"
        "from tt_tensor.errors import MissingWheelError\n"
        "try: import tt_optim.training\n"
        "except MissingWheelError as error: print(error)"
    )
    assert "pip install 'tt-optim[training]'" in run(program)


def test_the_loop_itself_imports_nothing_heavy():
    pytest.importorskip("tt_autograd")
    heavy = [name for name in HEAVY if name != "tt_autograd"]
    program = (
        f"import sys, json, tt_optim.training; print(json.dumps([n for n in {heavy} if n in sys.modules]))"
    )
    assert json.loads(run(program)) == []


@pytest.mark.parametrize(
    ("module", "program", "extra"),
    [
        ("rich", "Display(sys.stderr, True).on_fit_start(Position())", "training"),
        ("matplotlib", "draw_curves(history())", "training"),
        ("tensorboardX", "TensorBoard('runs')", "tensorboard"),
    ],
)
def test_what_is_missing_is_named_where_it_is_needed(module, program, extra):
    pytest.importorskip("tt_autograd")
    start = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from tt_tensor.errors import MissingWheelError\n"
        "from tt_optim.training import *\n"
        "from tt_optim.training.progress import Display\n"
        "class Position: step = samples = 0\n"
        "def history():\n"
        "    found = History(); found.append({'kind': 'epoch', 'step': 1, 'loss': 1.0}); return found\n"
    )
    caught = f"try: {program}\nexcept MissingWheelError as error: print(error)"
    assert f"pip install 'tt-optim[{extra}]'" in run(start + caught)
