"""Models that only predict: in evaluation, with nothing recorded, and afterwards as they were."""

from __future__ import annotations

from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any

from tt_tensor import recorder

__all__ = ["Quiet", "settled"]

settled: ContextVar[dict[Any, Any] | None] = ContextVar("tt_text_settled", default=None)
"""Inside such a block, in this thread and task: model → what it found of itself. None of the caller's code runs between
two tokens there, so a model need not look at itself again at each of them."""


class Quiet:
    """A block in which `models` are in evaluation and nothing is recorded; for one that ends, every time it is entered.

    A stream enters it for each token alone: between two tokens the models and the recorder are the caller's.
    """

    def __init__(self, *models: Any) -> None:
        self._modules = [
            module for model in models if hasattr(model, "modules") for module in model.modules()
        ]
        self._switched: list[Any] = []
        self._block: Any = None
        self._before: Token[dict[Any, Any] | None]

    def __enter__(self) -> None:
        self._switched = [module for module in self._modules if module.training]
        for module in self._switched:
            module.training = False
        self._block = recorder.paused()
        self._block.__enter__()
        self._before = settled.set({})

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        settled.reset(self._before)
        for module in self._switched:
            module.training = True
        self._switched = []
        self._block.__exit__(kind, error, trace)
