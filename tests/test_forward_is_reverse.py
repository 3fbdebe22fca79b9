"""Forward mode = reverse mode for every Function of every wheel: ⟨u, J v⟩ = ⟨Jᵀ u, v⟩ for random u and v."""

import importlib
import importlib.util

import numpy as np
import pytest
from wheel_graph import ROOT, members

import tt_autograd as ta
from tt_autograd.forward_mode import Tangents
from tt_tensor import from_numpy
from tt_tensor.testing import functions_of

PACKAGES = sorted(folder for folder in members().values() if folder.parent.name == "packages")


def cases_of(path):
    name = "forward_" + "_".join(path.relative_to(ROOT).with_suffix("").parts).replace("-", "_")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CASES


CASES = {}
for path in sorted(path for folder in PACKAGES for path in folder.glob("tests/rules/*.py")):
    CASES.update(cases_of(path))
FUNCTIONS = [
    function
    for folder in PACKAGES
    for function in functions_of(importlib.import_module(folder.name.replace("-", "_")))
]


def name(function):
    return f"{function.__module__.split('.')[0]}.{function.__name__}"


def reverse(case, leaves, u):
    y = case.make()(*[leaves.get(index, x) for index, x in enumerate(case.inputs)])
    if not y.requires_grad:
        return [np.zeros(x.shape) for x in leaves.values()]
    found = ta.grad(y, list(leaves.values()), u, materialize_grads=True)
    return [g.numpy() for g in found]


@pytest.mark.parametrize("function", FUNCTIONS, ids=name)
def test_forward_mode_is_reverse_mode_transposed(function):
    checked = 0
    for number, case in enumerate(CASES[function]):
        rng = np.random.default_rng(number)
        places = [i for i, x in enumerate(case.inputs) if isinstance(x, np.ndarray) and x.dtype == np.float64]
        if not places:
            continue
        moving = {index: from_numpy(case.inputs[index].copy("K")) for index in places}
        vs = {index: rng.normal(size=x.shape) for index, x in moving.items()}
        tangents = Tangents()
        for index, x in moving.items():
            tangents[x] = vs[index]
        with tangents.travel():
            y = case.make()(*[moving.get(index, x) for index, x in enumerate(case.inputs)])
        jv = tangents.get(y)
        u = np.asarray(rng.normal(size=y.shape))
        leaves = {index: from_numpy(case.inputs[index].copy("K")).requires_grad_() for index in places}
        ju = reverse(case, leaves, u)
        assert jv.shape == y.shape
        assert jv.dtype == y.dtype
        terms = [u * jv, *[g * vs[index] for g, index in zip(ju, places, strict=True)]]
        left, right = terms[0].sum(), sum(term.sum() for term in terms[1:])
        size = sum(np.abs(term).sum() for term in terms)
        assert abs(left - right) <= 1e-10 * size + 1e-13, f"{case}: {left} is not {right}"
        checked += 1
    assert checked >= 20
