"""tt_autograd: importing it installs the tape."""

from tt_autograd.backward import backward, grad
from tt_autograd.errors import AnomalyError, GradcheckError, ReleasedGraphError
from tt_autograd.modes import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from tt_autograd.tape import Tape
from tt_tensor import recorder

__all__ = [
    "AnomalyError",
    "GradcheckError",
    "ReleasedGraphError",
    "backward",
    "enable_grad",
    "grad",
    "inference_mode",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "no_grad",
    "set_grad_enabled",
]

__version__ = "0.1.0"

if not isinstance(recorder.active, Tape):
    recorder.install(Tape())
