"""tt_autograd: gradients of everything, to every order.

    import tt_autograd                # from now on operations are recorded
    loss = loss_fn(model(x), y)
    loss.backward()                   # fills .grad of every parameter

Importing it puts the tape into tt_tensor's recorder slot. The graph is the applied Functions themselves, and the
rules that the tape calls are those that stand under each formula.
"""

from tt_autograd.anomaly import detect_anomaly
from tt_autograd.backward import backward, grad, leaf_grads
from tt_autograd.checkpointing import checkpoint, checkpoint_sequential
from tt_autograd.errors import AnomalyError, GradcheckError, ReleasedGraphError
from tt_autograd.functional import hessian, hvp, jacobian, jvp, vhp, vjp
from tt_autograd.gradcheck import gradcheck, gradcheck_report, gradgradcheck, gradgradcheck_report
from tt_autograd.gradcheck_report import GradcheckReport
from tt_autograd.graph import Graph, graph
from tt_autograd.modes import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from tt_autograd.saved import SavedMemory, saved_memory
from tt_autograd.tape import Tape
from tt_tensor import recorder

__all__ = [
    "AnomalyError",
    "GradcheckError",
    "GradcheckReport",
    "Graph",
    "ReleasedGraphError",
    "SavedMemory",
    "backward",
    "checkpoint",
    "checkpoint_sequential",
    "detect_anomaly",
    "enable_grad",
    "grad",
    "gradcheck",
    "gradcheck_report",
    "gradgradcheck",
    "gradgradcheck_report",
    "graph",
    "hessian",
    "hvp",
    "inference_mode",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "jacobian",
    "jvp",
    "leaf_grads",
    "no_grad",
    "saved_memory",
    "set_grad_enabled",
    "vhp",
    "vjp",
]

__version__ = "0.1.0"

if not isinstance(recorder.active, Tape):
    recorder.install(Tape())
