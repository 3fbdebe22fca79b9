"""Configurations of models: dataclasses that check themselves and go to JSON and back."""

from __future__ import annotations

import dataclasses
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tt_text.errors import ConfigError
from tt_text.rotary_scaling import rotary_frequencies, rotary_magnitude, stretched_length

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["Config", "GPTConfig", "LlamaConfig"]

MOST = sys.float_info.max
TINY = sys.float_info.min


@dataclass(frozen=True)
class Config:
    """What all configurations can do."""

    def to_dict(self) -> dict[str, Any]:
        """The fields by name."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """The configuration with these fields. Raises ConfigError for unknown ones and for values that do not fit."""
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(fields) - known, key=str)
        if unknown:
            raise ConfigError(f"{cls.__name__}: unknown fields {unknown}; there are {sorted(known)}")
        return cls(**fields)

    def to_json(self, path: str | PathLike[str] | None = None) -> str:
        """The fields as JSON text, which is also written to `path`, if one is given."""
        text = json.dumps(self.to_dict(), indent=2) + "\n"
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    @classmethod
    def from_json(cls, source: str | PathLike[str]) -> Self:
        """The configuration in a JSON file. Raises ConfigError where it is none."""
        path = Path(source)
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise ConfigError(f"{cls.__name__}: cannot read {path}: {error}") from error
        if not isinstance(fields, dict):
            raise ConfigError(
                f"{cls.__name__}: {path} holds {type(fields).__name__}, not an object with fields"
            )
        return cls.from_dict(fields)

    def _sizes(self, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 1 << 31:
                raise ConfigError(
                    f"{type(self).__name__}: {name} must be a whole number from 1 up, not {value!r}"
                )

    def _numbers(self, *names: str, least: float = 0.0, below: float = float("inf")) -> None:
        for name in names:
            value = getattr(self, name)
            # What a float cannot hold (an integer of 400 digits) is no number to compute with.
            if (
                not isinstance(value, int | float)
                or isinstance(value, bool)
                or not least <= value < min(below, MOST)
            ):
                raise ConfigError(
                    f"{type(self).__name__}: {name} must be a number from {least:g} up (below {below:g}), not {value!r}"
                )

    def _flags(self, *names: str) -> None:
        for name in names:
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(
                    f"{type(self).__name__}: {name} must be true or false, not {getattr(self, name)!r}"
                )


@dataclass(frozen=True)
class GPTConfig(Config):
    """GPT-2's architecture, in nanoGPT's words; the defaults are GPT-2 small."""

    vocab_size: int = 50257
    block_size: int = 1024
    """The most positions: a longer sequence cannot be read at once."""
    n_layer: int = 12
    n_head: int = 12
    n_embd: int = 768
    dropout: float = 0.0
    bias: bool = True
    """Whether linear layers and norms have a bias; GPT-2 has."""
    activation: str = "gelu"
    """gelu (exact), or gelu_new (by tanh), which GPT-2 was trained with."""
    n_inner: int | None = None
    """Features between the two layers of an MLP; 4 · n_embd by default."""
    layer_norm_epsilon: float = 1e-5
    tie_word_embeddings: bool = True
    """Whether the head is the table of embeddings."""

    def __post_init__(self) -> None:
        self._sizes("vocab_size", "block_size", "n_layer", "n_head", "n_embd")
        self._numbers("dropout", below=1.0)
        self._numbers("layer_norm_epsilon")
        self._flags("bias", "tie_word_embeddings")
        if self.n_inner is not None:
            self._sizes("n_inner")
        if self.n_embd % self.n_head:
            raise ConfigError(
                f"GPTConfig: n_embd = {self.n_embd} cannot be cut into n_head = {self.n_head} equal heads"
            )
        _check_activation(self, self.activation)

    @property
    def hidden(self) -> int:
        """Features between the two layers of an MLP."""
        return 4 * self.n_embd if self.n_inner is None else self.n_inner


@dataclass(frozen=True)
class LlamaConfig(Config):
    """Llama's architecture, in Hugging Face's words; the defaults are small."""

    vocab_size: int = 32000
    hidden_size: int = 288
    intermediate_size: int = 768
    num_hidden_layers: int = 6
    num_attention_heads: int = 6
    num_key_value_heads: int | None = None
    """Heads of keys and values, which groups of query heads share; num_attention_heads by default."""
    head_dim: int | None = None
    """hidden_size / num_attention_heads by default."""
    max_position_embeddings: int = 2048
    rope_theta: float = 10000.0
    rope_scaling: dict[str, Any] | None = None
    rope_layout: str = "half"
    """Which features turn together: "half" (i and i + D/2, as Hugging Face has it) or "interleaved" (2i and 2i + 1)."""
    rms_norm_eps: float = 1e-5
    hidden_act: str = "silu"
    attention_bias: bool = False
    mlp_bias: bool = False
    qk_norm: bool = False
    """Whether queries and keys go through an RMS norm before they turn, each head by itself (Qwen3)."""
    tie_word_embeddings: bool = False
    sliding_window: int | None = None
    """A query sees at most so many keys, the last ones."""
    attention_dropout: float = 0.0

    def __post_init__(self) -> None:
        self._sizes(
            "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
            "max_position_embeddings",
        )  # fmt: skip
        for name in ("num_key_value_heads", "head_dim", "sliding_window"):
            if getattr(self, name) is not None:
                self._sizes(name)
        self._numbers("rms_norm_eps")
        self._numbers("rope_theta", least=TINY)
        self._numbers("attention_dropout", below=1.0)
        self._flags("attention_bias", "mlp_bias", "qk_norm", "tie_word_embeddings")
        if self.rope_layout not in ("half", "interleaved"):
            raise ConfigError(
                f"LlamaConfig: rope_layout is 'half' or 'interleaved', not {self.rope_layout!r}"
            )
        if self.rope_scaling is not None and not isinstance(self.rope_scaling, dict):
            raise ConfigError(
                f"LlamaConfig: rope_scaling is an object with fields, not {self.rope_scaling!r}"
            )
        if self.head_dim is None and self.hidden_size % self.num_attention_heads:
            raise ConfigError(
                f"LlamaConfig: hidden_size = {self.hidden_size} cannot be cut into num_attention_heads = "
                f"{self.num_attention_heads} equal heads; give head_dim"
            )
        if self.width % 2:
            raise ConfigError(
                f"LlamaConfig: rotary positions turn pairs, so head_dim cannot be odd ({self.width})"
            )
        self._check_rotary()
        if self.num_attention_heads % self.groups:
            raise ConfigError(
                f"LlamaConfig: num_attention_heads = {self.num_attention_heads} cannot share num_key_value_heads = "
                f"{self.groups} evenly"
            )
        _check_activation(self, self.hidden_act)

    def _check_rotary(self) -> None:
        scaling = self.rope_scaling or {}
        # Of the frequencies of a head of any width two are as good as all, unless each is named.
        named = any(name in scaling for name in ("short_factor", "long_factor"))
        size = min(self.width, 1 << 20) if named else 2
        try:
            for length in (0, 1 << 31) if named else (0,):
                rotary_frequencies(size, self.rope_theta, self.rope_scaling, length)
            rotary_magnitude(self.rope_scaling)
            if scaling.get("rope_type", scaling.get("type")) == "dynamic":
                rotary_frequencies(min(self.width, 4), self.rope_theta, self.rope_scaling, 1 << 31)
        except (ConfigError, OverflowError) as error:
            raise ConfigError(f"LlamaConfig: {error}") from error

    @property
    def context(self) -> int:
        """Positions that it reads at once: max_position_embeddings, or more where rope_scaling stretches them."""
        return stretched_length(self.max_position_embeddings, self.rope_scaling)

    @property
    def groups(self) -> int:
        """Heads of keys and values."""
        return self.num_attention_heads if self.num_key_value_heads is None else self.num_key_value_heads

    @property
    def width(self) -> int:
        """Features of one head."""
        return self.hidden_size // self.num_attention_heads if self.head_dim is None else self.head_dim


def _check_activation(config: Config, name: Any) -> None:
    from tt_tensor.errors import ArgumentError
    from tt_text.feed_forward import activation

    try:
        activation(name if isinstance(name, str) else repr(name))
    except ArgumentError as error:
        raise ConfigError(f"{type(config).__name__}: {error}") from error
