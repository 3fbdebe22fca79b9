"""1958: one unit learns to tell two digits apart. See :mod:`milestone_perceptron.story`."""

from __future__ import annotations

from milestone_perceptron.cli import main

__all__ = ["__version__", "main"]

__version__ = "0.1.0"
