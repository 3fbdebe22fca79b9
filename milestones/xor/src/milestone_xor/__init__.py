"""1969: what a single layer cannot do, and what a hidden layer can. See :mod:`milestone_xor.story`."""

from __future__ import annotations

from milestone_xor.cli import main

__all__ = ["__version__", "main"]

__version__ = "0.1.0"
