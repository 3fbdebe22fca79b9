"""accelerate(): what runs afterwards, what is undone, and what is said where numba is missing."""

import importlib
import importlib.util
import os
import subprocess
import sys
import threading

import pytest

import tt_perf
from tt_nn import shards
from tt_perf import acceleration
from tt_perf.compiled.table import KERNELS
from tt_tensor import kernels
from tt_tensor.errors import ArgumentError

HAVE_NUMBA = importlib.util.find_spec("numba") is not None
needs_numba = pytest.mark.skipif(not HAVE_NUMBA, reason="compiled kernels need the extra numba")


@pytest.fixture(autouse=True)
def as_before():
    name, threads = kernels.preferred(), shards.get_num_threads()
    yield
    kernels.prefer(name)
    shards.set_num_threads(threads)


@needs_numba
def test_it_holds_in_all_threads_until_it_is_undone():
    kernels.prefer(None)
    on = tt_perf.accelerate(malloc=False)
    assert on.kernels
    assert not on.malloc
    seen = []
    thread = threading.Thread(target=lambda: seen.append(tt_perf.accelerated()))
    thread.start()
    thread.join()
    assert seen == [True]
    on.undo()
    assert not tt_perf.accelerated()
    kernels.prefer("loops")
    on.undo()  # a second time: nothing
    assert kernels.preferred() == "loops"


@needs_numba
def test_it_ends_with_its_block_also_by_an_error():
    kernels.prefer(None)
    threads = shards.get_num_threads()

    def fail():
        with tt_perf.accelerate(malloc=False, threads=threads + 1):
            assert tt_perf.accelerated()
            assert shards.get_num_threads() == threads + 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not tt_perf.accelerated()
    assert shards.get_num_threads() == threads


@needs_numba
def test_blocks_inside_each_other_end_one_by_one():
    kernels.prefer(None)
    with tt_perf.accelerate(malloc=False):
        with tt_perf.accelerate(malloc=False):
            pass
        assert tt_perf.accelerated()
    assert not tt_perf.accelerated()


@needs_numba
def test_blocks_that_overlap_end_with_the_last():
    kernels.prefer(None)
    first = tt_perf.accelerate(malloc=False)
    second = tt_perf.accelerate(malloc=False)
    first.undo()
    assert tt_perf.accelerated()
    second.undo()
    assert not tt_perf.accelerated()


def test_not_compiled_leaves_numpy():
    kernels.prefer(None)
    assert not tt_perf.accelerate(compiled=False, malloc=False).kernels
    assert not tt_perf.accelerated()


def test_memory_is_kept_unless_the_environment_forbids_it(monkeypatch):
    monkeypatch.setenv("TT_MALLOC", "0")
    assert not tt_perf.accelerate(compiled=False).malloc


@pytest.mark.parametrize("threads", [0, -1, 1.5, True])
def test_a_number_of_threads_that_is_none(threads):
    before = kernels.preferred()
    with pytest.raises(ArgumentError, match="whole number from 1"):
        tt_perf.accelerate(threads=threads)
    assert kernels.preferred() == before


def test_without_numba_one_line_says_so(monkeypatch, capsys):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "numba" else found(name, *rest)
    )
    monkeypatch.setattr(acceleration, "_said", False)
    kernels.prefer(None)
    assert not tt_perf.accelerate(malloc=False).kernels
    assert not tt_perf.accelerate(malloc=False).kernels
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "pip install 'tt-perf[numba]'" in said
    assert kernels.preferred() is None


@needs_numba
@pytest.mark.parametrize("operation", sorted(KERNELS))
def test_every_operation_of_the_table_has_its_kernel_and_a_definition(operation):
    module, _, name = KERNELS[operation].partition(":")
    assert callable(getattr(importlib.import_module(module), name))
    for wheel in ("tt_nn", "tt_optim", "tt_vision", "tt_text"):
        if importlib.util.find_spec(wheel) is not None:
            importlib.import_module(wheel)
    if operation not in kernels.operations() or kernels.names(operation) == ["numba"]:
        pytest.skip(f"no wheel that is installed here has the operation {operation}")
    assert {"loops", "numpy"} <= set(kernels.names(operation))


@needs_numba
def test_importing_tt_perf_is_light():
    heavy = ("numba", "rich", "matplotlib", "tt_vision", "tt_text")
    code = f"import sys, tt_perf; print(*[module for module in {heavy} if module in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


COLD = """
import numpy as np, tt_perf
z = tt_perf.matmul_ladder()["ikj"](np.eye(3), np.eye(3))
assert (z == np.eye(3)).all()
"""


@needs_numba
def test_compiling_is_said_once_a_machine(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}

    def said():
        run = subprocess.run(
            [sys.executable, "-c", COLD], capture_output=True, text=True, check=True, env=environment
        )
        return run.stderr

    assert said().count("compiling kernels for this machine") == 1
    assert said() == ""


@needs_numba
def test_a_process_compiles_ahead_and_whoever_needs_a_module_waits_for_it():
    code = (
        "import threading\n"
        "from tt_perf.compiled import ahead\n"
        "ahead.begin(['tt_perf.compiled.matmul', 'no_such_module', 'tt_perf.compiled.jit'])\n"
        "ahead.begin(['never'])\n"  # one such process is enough
        "for module in ('tt_perf.compiled.matmul', 'tt_perf.compiled.jit', 'never'):\n"
        "    ahead.wait(module)\n"  # also for what could not be imported
        "print('through')\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert run.stdout == "through\n"


@needs_numba
def test_a_late_kernel_is_imported_when_it_is_called():
    code = (
        "import sys, numpy as np\n"
        "from tt_perf.late import Late\n"
        "late = Late('tt_perf.ladder:blas')\n"
        "assert 'Late' in repr(late)\n"
        "print(late(np.eye(2), np.eye(2)).tolist(), late.__class__.__name__, late.__doc__ is not None)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split("]]")[0] == "[[1.0, 0.0], [0.0, 1.0"


@needs_numba
def test_what_runs_compiled_is_of_wheels_that_are_here():
    kernels.prefer(None)
    assert tt_perf.compiled_operations() == []
    with tt_perf.accelerate(malloc=False):
        found = tt_perf.compiled_operations()
        assert "layer_norm" in found
        assert all(len(kernels.names(operation)) > 1 for operation in found)
        assert set(found) <= set(KERNELS)
    assert tt_perf.compiled_operations() == []


@needs_numba
def test_kernels_may_be_loaded_before_they_are_needed():
    code = (
        "import sys, tt_nn, tt_perf\n"
        "assert tt_perf.load_kernels() == []\n"
        "tt_perf.accelerate(malloc=False)\n"
        "assert 'tt_perf.compiled.relu' not in sys.modules\n"
        "assert tt_perf.load_kernels('relu', 'relu_backward') == ['relu', 'relu_backward']\n"
        "assert 'tt_perf.compiled.relu' in sys.modules and 'tt_perf.compiled.gelu' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


def test_a_kernel_that_is_none_cannot_be_loaded():
    with pytest.raises(ArgumentError, match=r"no compiled kernel 'add'; there are .*matrix_product"):
        tt_perf.load_kernels("relu", "add")


def test_without_acceleration_none_is_loaded():
    kernels.prefer(None)
    assert tt_perf.load_kernels("relu") == []
