"""What the suites share: a small tape, so that gradients through several Functions can be taken here, too."""

import copy

import numpy as np
import pytest

from tt_tensor import Tensor, recorder


class Tape:
    """Notes every application; walks back in reverse order, calling the rules as a layer would by hand."""

    def __init__(self):
        self.steps = []

    def record(self, function, inputs, output):
        self.steps.append((function, inputs, output))
        return True

    def before_write(self, target):
        return True

    def gradients(self, run, inputs, grad, create_graph=False):
        """The output of run(*inputs), and the gradient at each input, given the one at the output.

        With create_graph, the rules run on Tensors, under this same tape: to be differentiated again.
        """
        start = len(self.steps)
        previous = recorder.install(self)
        try:
            output = run(*inputs)
            steps = self.steps[start:]
            if not create_graph:
                recorder.install(None)
            found = {id(output): grad}
            for function, given, result in reversed(steps):
                at = found.pop(id(result), None)  # what was written in place gets another one now
                if at is None:
                    continue
                if create_graph:
                    again = copy.copy(function)
                    again.inputs = given
                    again.forward(*given)
                    function = again
                for x, g in zip(given, function.gradients(at), strict=True):
                    if g is not None:
                        found[id(x)] = found[id(x)] + g if id(x) in found else g
        finally:
            recorder.install(previous)
        return output, [found.get(id(x), np.zeros(x.shape, x.dtype)) for x in inputs]


@pytest.fixture
def tape():
    tape = Tape()
    yield tape
    assert recorder.active is None
    assert all(isinstance(output, Tensor) for _, _, output in tape.steps)


@pytest.fixture
def equals_pytorch(tape):
    """Check one call against the golden of its name: value and gradient at every input, with this dtype.

    The words of a name behind the first are its inputs, as far as the goldens have an input of that name;
    the gradient at the output is cos(1), cos(2), … (see goldens/make_reductions.py).
    """

    def check(goldens, name, call, dtype, rtol, atol, wanted=None):
        inputs = [
            Tensor(goldens[f"input {word}"].astype(dtype))
            for word in name.split()[1:]
            if f"input {word}" in goldens
        ]
        value = goldens[f"{name}|{dtype}|value"]
        grad = np.cos(np.arange(1, value.size + 1)).reshape(value.shape).astype(dtype)
        y, grads = tape.gradients(call, inputs, grad)
        np.testing.assert_allclose(y.numpy(), value, rtol, atol, strict=True)
        for index, dx in enumerate(grads):
            assert dx.dtype == dtype
            golden = goldens[f"{name}|{wanted or dtype}|grad {index}"]
            np.testing.assert_allclose(dx, golden.astype(dtype), rtol, atol, strict=True)

    return check


class Notes:
    """A recorder that writes down what it is told, and marks outputs as wanting a gradient."""

    def __init__(self):
        self.names = []
        self.paused = False

    def record(self, function, inputs, output):
        self.names.append(type(function).__name__)
        wanted = any(isinstance(x, Tensor) and x.requires_grad for x in inputs)
        if wanted and not self.paused and output.dtype.kind == "f":
            output._requires_grad = True
        return not self.paused

    def before_write(self, target):
        return not self.paused

    def recording(self):
        return not self.paused

    def backward(self, tensor, gradient, retain_graph, create_graph, inputs):
        tensor.grad = np.ones(tensor.shape, tensor.dtype)


@pytest.fixture
def notes():
    notes = Notes()
    before = recorder.install(notes)
    yield notes
    recorder.install(before)
