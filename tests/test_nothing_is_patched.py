"""Importing tt_autograd fills one slot, and leaves every class and function of the other wheels as it was."""

import json
import subprocess
import sys

SURFACE = """
import json, sys
import tt_tensor, tt_nn, tt_optim

def surface():
    found = {}
    for module in [m for name, m in sys.modules.items() if name.split(".")[0] in ("tt_tensor", "tt_nn", "tt_optim")]:
        for name, value in vars(module).items():
            found[f"{module.__name__}.{name}"] = id(value)
            if isinstance(value, type) and value.__module__.startswith("tt_"):
                for key in dir(value):
                    found[f"{module.__name__}.{name}.{key}"] = id(value.__dict__.get(key))
    return found

before = surface()
import tt_autograd
after = surface()
print(json.dumps([name for name in {*before, *after} if before.get(name) != after.get(name)]))
"""


def test_importing_tt_autograd_changes_no_class_and_no_function_of_another_wheel():
    done = subprocess.run(
        [sys.executable, "-c", SURFACE], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["tt_tensor.recorder.active"]
