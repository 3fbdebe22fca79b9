"""1988: three interleaved spirals, told apart by a network. See :mod:`milestone_spirals.story`."""

from __future__ import annotations

from milestone_spirals.cli import main

__all__ = ["__version__", "main"]

__version__ = "0.1.0"
