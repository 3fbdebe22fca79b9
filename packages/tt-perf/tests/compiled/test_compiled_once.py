"""What one process compiled the next one finds: nothing is compiled again, nor any piece that kernels call."""

import json
import subprocess
import sys

PROGRAM = """
import json
import numpy as np
from numba.core import event

compiled = []


class Listener(event.Listener):
    def on_start(self, event):
        compiled.append(event.data["dispatcher"].py_func.__qualname__)

    def on_end(self, event):
        pass


event.register("numba:compile", Listener())

import tt_nn, tt_perf, tt_text, tt_vision
from tt_tensor import Tensor

tt_perf.accelerate()


def numbers(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def forth_and_back(layer, *shape):
    layer.backward(np.ones(layer(Tensor(numbers(*shape))).shape, np.float32))


forth_and_back(tt_vision.Conv2d(3, 32, 3, padding=1), 64, 3, 32, 32)
forth_and_back(tt_vision.Conv2d(32, 32, 3, padding=1), 64, 32, 32, 32)
forth_and_back(tt_vision.BatchNorm2d(32), 64, 32, 32, 32)
forth_and_back(tt_vision.MaxPool2d(2), 64, 32, 32, 32)
forth_and_back(tt_nn.ReLU(), 512, 1024)
forth_and_back(tt_nn.GELU(), 512, 1024)
forth_and_back(tt_nn.LayerNorm(256), 512, 256)
forth_and_back(tt_nn.Linear(256, 512), 512, 256)
gpt = tt_text.GPT(tt_text.GPTConfig(vocab_size=65, block_size=64, n_layer=2, n_head=4, n_embd=128))
gpt.loss(np.zeros((8, 64), int), np.zeros((8, 64), int))
gpt.generate([1, 2, 3], 8)
tt_perf.quantize(gpt, "int8").generate([1, 2, 3], 8)
print(json.dumps(compiled))
"""


def run():
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1]), ran.stderr


def test_nothing_is_compiled_twice():
    run()
    compiled, said = run()
    assert compiled == [] and "compiling" not in said
