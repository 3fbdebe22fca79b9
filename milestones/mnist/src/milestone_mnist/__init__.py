"""1986 to 1998: handwritten digits, by an MLP, then by a CNN. See :mod:`milestone_mnist.story`."""

from __future__ import annotations

from milestone_mnist.cli import main

__all__ = ["__version__", "main"]

__version__ = "0.1.0"
