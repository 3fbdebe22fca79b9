"""Errors of tt_text beside those of tt_tensor and tt_nn."""

from __future__ import annotations

from tt_tensor.errors import TTError

__all__ = ["ConfigError", "PretrainedError", "TokenizerError"]


class TokenizerError(TTError, ValueError):
    """A tokenizer's file is damaged or of another kind, or text or tokens are none that this tokenizer knows."""


class ConfigError(TTError, ValueError):
    """The configuration of a model is incomplete, contradicts itself, or is of another kind of model."""


class PretrainedError(TTError, ValueError):
    """A pretrained model's files are missing, damaged, or hold other tensors than its configuration needs."""
