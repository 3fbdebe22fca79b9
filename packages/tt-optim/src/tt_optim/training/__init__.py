"""tt_optim.training: one loop for any model, loss and data, which can be killed at any moment and goes on bit for bit.

    from tt_optim.training import Accuracy, Trainer

    trainer = Trainer(model, loss_fn, optimizer, metrics=[Accuracy()], checkpoints="runs/first")
    history = trainer.fit(train, val, epochs=10, resume=True)

Needs the extra: pip install 'tt-optim[training]'.
"""

try:
    import tt_autograd as _tt_autograd  # the loop calls loss.backward(), which needs a tape  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "tt_autograd":
        raise
    from tt_tensor.errors import MissingWheelError

    raise MissingWheelError(
        "tt_optim.training: the training loop records what it computes, which is the wheel tt-autograd; "
        "pip install 'tt-optim[training]'"
    ) from error

from tt_optim.training.batches import BatchError
from tt_optim.training.bits import ResumeWarning
from tt_optim.training.callbacks import Callback
from tt_optim.training.configuration import ConfigurationError
from tt_optim.training.curves import draw_curves, save_curves
from tt_optim.training.early_stopping import EarlyStopping
from tt_optim.training.ema import EMA
from tt_optim.training.errors import CheckpointError, CheckpointWarning, StateError
from tt_optim.training.every import Every
from tt_optim.training.feed import EndOfDataError, ReplayError
from tt_optim.training.finite import NonFiniteError
from tt_optim.training.history import History, HistoryError
from tt_optim.training.interrupts import Interrupted
from tt_optim.training.metrics import Accuracy, ConfusionMatrix, MeanLoss, Metric, Perplexity, TopKAccuracy
from tt_optim.training.resume import ResumeError
from tt_optim.training.shards import backward_in_shards
from tt_optim.training.store import CheckpointStore
from tt_optim.training.tensorboard import TensorBoard
from tt_optim.training.trainer import Trainer

__all__ = [
    "EMA",
    "Accuracy",
    "BatchError",
    "Callback",
    "CheckpointError",
    "CheckpointStore",
    "CheckpointWarning",
    "ConfigurationError",
    "ConfusionMatrix",
    "EarlyStopping",
    "EndOfDataError",
    "Every",
    "History",
    "HistoryError",
    "Interrupted",
    "MeanLoss",
    "Metric",
    "NonFiniteError",
    "Perplexity",
    "ReplayError",
    "ResumeError",
    "ResumeWarning",
    "StateError",
    "TensorBoard",
    "TopKAccuracy",
    "Trainer",
    "backward_in_shards",
    "draw_curves",
    "save_curves",
]
