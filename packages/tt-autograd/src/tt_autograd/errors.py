"""The errors of tt-autograd; each is also one of tt_tensor.errors."""

from __future__ import annotations

from typing import Any

from tt_tensor.errors import GradientError

__all__ = ["AnomalyError", "GradcheckError", "ReleasedGraphError"]


class ReleasedGraphError(GradientError):
    """A graph was gone through a second time after it had let go of what it saved."""

    @classmethod
    def of(cls, function: Any) -> ReleasedGraphError:
        """The error for a Function that has nothing left."""
        return cls(
            f"backward: the graph was released at {type(function).__name__} by an earlier backward or grad; compute "
            "the output anew, or pass retain_graph=True to the earlier call to go through it twice"
        )


class AnomalyError(GradientError):
    """`detect_anomaly` met the first NaN or Inf."""


class GradcheckError(GradientError, AssertionError):
    """`gradcheck` found a gradient that is not the derivative."""

    report: Any = None
    """What it found: a `GradcheckReport`."""
