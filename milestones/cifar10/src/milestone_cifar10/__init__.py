"""1998 to today: a convolutional network learns CIFAR-10 in minutes. See :mod:`milestone_cifar10.story`."""

from __future__ import annotations

from milestone_cifar10.cli import main

__all__ = ["__version__", "main"]

__version__ = "0.1.0"
