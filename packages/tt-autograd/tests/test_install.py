"""What `import tt_autograd` does to a process: it fills one slot, and changes and brings in nothing else."""

import json
import os
import subprocess
import sys

import pytest

import tt_autograd
import tt_tensor
from tt_autograd.tape import Tape
from tt_tensor import recorder


def fresh(code):
    """What `code` prints as JSON, in an interpreter of its own, with warnings as errors."""
    # Bytecode is kept: to compile the sources each time would be what an import takes.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


SURFACE = """
import importlib, json, pkgutil, sys, tt_tensor
from tt_tensor import recorder

for module in pkgutil.walk_packages(tt_tensor.__path__, "tt_tensor."):
    importlib.import_module(module.name)  # all there is: what the tape imports first is no change

def surface():
    found = {}
    for module in [m for name, m in sys.modules.items() if name.split(".")[0] == "tt_tensor"]:
        for name, value in vars(module).items():
            found[f"{module.__name__}.{name}"] = id(value)
            if isinstance(value, type) and value.__module__.startswith("tt_tensor"):
                for key in dir(value):
                    if key != "__abstractmethods__":
                        attribute = value.__dict__.get(key)
                        found[f"{module.__name__}.{name}.{key}"] = id(attribute)
    return found

before = surface()
import tt_autograd
after = surface()
new = [name for name in after if name not in before]
print(json.dumps(sorted(name for name in before if before[name] != after.get(name)) + new))
"""


def test_nothing_of_tt_tensor_changes_but_the_slot():
    assert fresh(SURFACE) == ["tt_tensor.recorder.active"]


def test_the_slot_is_filled_once():
    assert isinstance(recorder.active, Tape)
    assert fresh("""
import importlib, json, sys
from tt_tensor import recorder
first = recorder.active
import tt_autograd
tape = recorder.active
import tt_autograd
again = recorder.active is tape
importlib.reload(tt_autograd)
print(json.dumps([first is None, type(tape).__name__, again, recorder.active is tape]))
""") == [True, "Tape", True, True]


def test_importing_it_does_no_more_than_it_must():
    """No other wheel, no drawing library, nothing that only a tool inside needs."""
    brought = fresh("""
import json, sys, tt_tensor
before = set(sys.modules)
import tt_autograd
print(json.dumps(sorted(set(sys.modules) - before)))
""")
    roots = {name.split(".")[0] for name in brought}
    assert not roots & {
        "asyncio",
        "graphviz",
        "hypothesis",
        "matplotlib",
        "multiprocessing",
        "pandas",
        "PIL",
        "pytest",
        "rich",
        "scipy",
        "subprocess",
        "tt_nn",
        "tt_optim",
        "unittest",
    }
    assert not any(name.startswith("numpy.") for name in brought)


def test_importing_it_takes_less_than_numpy_does():
    """A share of what is there anyway, so that a slow machine changes nothing."""
    times = [
        fresh("""
import time, json
start = time.process_time(); import numpy
numpy = time.process_time() - start
import tt_tensor
start = time.process_time(); import tt_autograd
print(json.dumps((time.process_time() - start) / numpy))
""")
        for _ in range(3)
    ]
    assert min(times) < 0.5


def test_what_was_made_before_takes_part():
    """Tensors that were made, and parameters that asked for a gradient, before anyone recorded."""
    assert fresh("""
import json, tt_tensor as tt
x = tt.tensor([1.0, 2.0], requires_grad=True)
y = x * 3
import tt_autograd
(x * x).sum().backward()
print(json.dumps([y.requires_grad, x.grad.tolist()]))
""") == [False, [2.0, 4.0]]


def test_without_it_backward_names_the_wheel():
    assert fresh("""
import json, tt_tensor as tt
x = tt.tensor([1.0], requires_grad=True)
found = []
for call in ((x * 2).backward, x.retain_grad, lambda: x.register_hook(print)):
    try:
        call()
    except tt.errors.MissingWheelError as error:
        found.append("tt-autograd" in str(error) and "import tt_autograd" in str(error))
print(json.dumps(found))
""") == [True, True, True]


def test_another_recorder_is_replaced_and_can_come_back():
    class Other:
        def record(self, function, inputs, output):
            return False

        def before_write(self, target):
            return False

    tape = recorder.active
    other = Other()
    assert recorder.install(other) is tape
    try:
        x = tt_tensor.tensor([1.0], requires_grad=True)
        assert not (x * 2).requires_grad
    finally:
        assert recorder.install(tape) is other
    assert (x * 2).requires_grad


@pytest.mark.parametrize("name", tt_autograd.__all__)
def test_every_public_name_exists_and_says_what_it_is(name):
    assert getattr(tt_autograd, name).__doc__.strip()


def test_the_public_names_are_in_order():
    assert sorted(tt_autograd.__all__) == tt_autograd.__all__
    assert len(set(tt_autograd.__all__)) == len(tt_autograd.__all__)
