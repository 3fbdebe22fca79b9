"""tt_text: tokenizers, embeddings, attention, transformers, generation, and models that others trained."""

from tt_text import functional
from tt_text.embedding import Embedding
from tt_text.rotary import RotaryEmbedding

__version__ = "0.1.0"

__all__ = [
    "Embedding",
    "RotaryEmbedding",
    "functional",
]
