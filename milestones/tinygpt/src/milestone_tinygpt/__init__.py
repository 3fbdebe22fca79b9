"""2017 to 2020: a transformer learns to write, character by character. See :mod:`milestone_tinygpt.story`."""

from __future__ import annotations

from milestone_tinygpt.cli import main

__all__ = ["__version__", "main"]

__version__ = "0.1.0"
