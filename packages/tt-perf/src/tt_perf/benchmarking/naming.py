"""Functions by name, as one process tells another: "module:function", "path/to/file.py:function".

With "()" behind it, the function is called once and what it returns is what is timed: "module:make_step()".
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tt_perf.benchmarking.errors import ContenderError

__all__ = ["found", "named"]


def found(name: str) -> Callable[[], Any]:
    """The function of that name, imported. Raises ContenderError that says at which part it fails."""
    place, colon, path = name.rpartition(":")
    made = path.endswith("()")
    path = path.removesuffix("()")
    if not colon or not place or not path:
        raise ContenderError(f'{name!r} is no contender; name it as "module:function" or "file.py:function"')
    value: Any = _module(place, name)
    for part in path.split("."):
        try:
            value = getattr(value, part)
        except AttributeError as error:
            raise ContenderError(f"{name!r}: {place} has no {path!r}") from error
    if made:
        value = value()
    if not callable(value):
        what = "returned" if made else "is"
        raise ContenderError(f"{name!r} {what} {type(value).__name__}, which cannot be called")
    return value


def named(contender: Any) -> str:
    """The name by which another process finds it: a name as it is, a function by where it was defined.

    Raises ContenderError for what has no name there: lambdas, functions inside of functions, bound methods.
    """
    if isinstance(contender, str):
        return contender
    module, path = getattr(contender, "__module__", None), getattr(contender, "__qualname__", None)
    what = f"{contender!r} has no name that another process could find it by"
    if not module or not path or not path.replace(".", "a").isidentifier() or hasattr(contender, "__self__"):
        raise ContenderError(f'{what}; define it at the top of a module, or give "module:function"')
    home = sys.modules.get(module)
    file = getattr(home, "__file__", None)
    if module != "__main__" and _importable(module):
        return f"{module}:{path}"
    if file and Path(file).suffix == ".py" and Path(file).is_file():
        return f"{Path(file).resolve()}:{path}"
    raise ContenderError(f"{what}: its module {module!r} is no file")


def _importable(module: str) -> bool:
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return False
    home = sys.modules.get(module)
    return spec is not None and getattr(home, "__file__", None) == spec.origin and _on_path(module)


def _on_path(module: str) -> bool:
    """find_spec answers from sys.modules; a new process has the path only."""
    top = module.partition(".")[0]
    return importlib.machinery.PathFinder.find_spec(top) is not None


def _module(place: str, name: str) -> Any:
    if not place.endswith(".py"):
        try:
            return importlib.import_module(place)
        except ImportError as error:
            raise ContenderError(f"{name!r}: cannot import {place}: {error}") from error
    path = Path(place)
    if not path.is_file():
        raise ContenderError(f"{name!r}: there is no file {place}")
    spec = importlib.util.spec_from_file_location(f"tt_perf_contender_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ContenderError(f"{name!r}: {place} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
