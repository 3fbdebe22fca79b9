"""Every Function of every wheel through the tape: its gradients are its derivatives, to the third order.

Found automatically, with the cases that stand beside each wheel's tests in `rules/`. gradcheck and gradgradcheck
compare every entry of the Jacobians with central differences, at PyTorch's default tolerances.
"""

import importlib
import importlib.util
import re

import numpy as np
import pytest
from wheel_graph import ROOT, members

import tt_autograd
from tt_autograd.gradcheck import gradcheck_report, gradgradcheck_report
from tt_tensor import Tensor, from_numpy
from tt_tensor.testing import functions_of

PACKAGES = sorted(folder for folder in members().values() if folder.parent.name == "packages")


def wheel(folder):
    return importlib.import_module(folder.name.replace("-", "_"))


def cases_of(path):
    name = "_".join(path.relative_to(ROOT).with_suffix("").parts).replace("-", "_")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CASES


FUNCTIONS = [function for folder in PACKAGES for function in functions_of(wheel(folder))]
CASES = {}
for path in sorted(path for folder in PACKAGES for path in folder.glob("tests/rules/*.py")):
    CASES.update(cases_of(path))

# Where the second derivative does not exist, though the first does.
WITHOUT_A_SECOND = {
    # ∂/∂y xʸ = xʸ log x is defined for x > 0 only.
    ("Pow", "0 to the 2, as arrays"),
}


def inputs_of(case, numbers):
    """Each float64 array once, as a leaf, also where it is given twice; a float as it is, or as an array."""
    leaves = {}
    for index, x in enumerate(case.inputs):
        if isinstance(x, np.ndarray) and x.dtype == np.float64:
            if id(x) not in leaves:
                leaves[id(x)] = from_numpy(x.copy("K")).requires_grad_()
        elif isinstance(x, float) and not numbers:
            leaves[index] = from_numpy(np.array(x)).requires_grad_()
    inputs = tuple(leaves.get(id(x), leaves.get(index, x)) for index, x in enumerate(case.inputs))
    return inputs if leaves else None


def applying(case):
    return lambda *inputs: case.make()(*inputs)


def wrong(function, check):
    """What is wrong with at least 20 cases: nothing, for each way to give their floats."""
    found, count = [], 0
    for case in CASES.get(function, []):
        if check is gradgradcheck_report and (function.__name__, case.name) in WITHOUT_A_SECOND:
            continue
        floats = any(isinstance(x, float) for x in case.inputs)
        given = [inputs_of(case, numbers) for numbers in ((False, True) if floats else (False,))]
        reports = [check(applying(case), inputs) for inputs in given if inputs is not None]
        count += bool(reports)
        found += [f"{case}: {report}" for report in reports if not report.ok]
    assert count >= 20, f"write cases for {name(function)} in the tests/rules/ of its wheel"
    return "\n".join(found)


def name(function):
    return f"{function.__module__.split('.')[0]}.{function.__name__}"


each_function = pytest.mark.parametrize("function", FUNCTIONS, ids=name)


@each_function
def test_gradients_are_the_derivatives(function):
    assert not wrong(function, gradcheck_report)


@each_function
def test_second_derivatives_are_those_of_the_gradients(function):
    assert not wrong(function, gradgradcheck_report)


def gradients_of(case, inputs):
    """The gradients of a case at a fixed gradient of its output, as a function of the inputs, with a history."""
    wanted = [index for index, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]

    def gradients(*inputs):
        y = case.make()(*inputs)
        sent = np.asarray(np.random.default_rng(3).normal(size=y.shape))
        xs = [inputs[index] for index in wanted]
        return tt_autograd.grad(y, xs, sent, create_graph=True, allow_unused=True, materialize_grads=True)

    return gradients


@each_function
def test_third_derivatives_are_those_of_the_second(function):
    for case in CASES[function][:8]:
        inputs = inputs_of(case, False)
        if inputs is None:
            continue
        gradients = gradients_of(case, inputs)
        if any(g.requires_grad for g in gradients(*inputs)):  # a linear function has none
            report = gradgradcheck_report(gradients, inputs, fast_mode=True)
            assert report.ok, f"{case}: {report}"


def test_the_readme_counts_those_of_tt_tensor():
    said = re.search(r"Tensor, (\d+) Functions", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert int(said[1]) == len(functions_of(importlib.import_module("tt_tensor")))


def test_every_case_is_of_a_function_that_exists():
    assert set(CASES) <= set(FUNCTIONS)


def test_what_is_left_out_exists():
    names = {(function.__name__, case.name) for function, cases in CASES.items() for case in cases}
    assert names >= WITHOUT_A_SECOND
