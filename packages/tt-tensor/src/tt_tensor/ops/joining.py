"""Putting tensors together and taking them apart: concatenate, stack, split, pad, roll …"""

from __future__ import annotations

__all__ = ["JoiningMethods"]


class JoiningMethods:
    """Methods of a Tensor."""
