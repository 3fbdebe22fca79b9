"""2018: one step of each network from Python loops to compiled kernels. See :mod:`milestone_speedup.story`."""

from __future__ import annotations

from milestone_speedup.cli import main

__all__ = ["__version__", "main"]

__version__ = "0.1.0"
