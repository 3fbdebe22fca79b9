"""tt_text: tokenizers, embeddings, attention, transformers, generation, and models that others trained."""

from tt_text import datasets, functional, pictures
from tt_text.alibi import alibi_bias, alibi_slopes
from tt_text.attention import scaled_dot_product_attention, watch_attention
from tt_text.cache import AppendCache, Cache
from tt_text.embedding import Embedding
from tt_text.embedding_bag import EmbeddingBag
from tt_text.feed_forward import MLP, SwiGLU
from tt_text.generation import Beam, beam_search, generate, stream
from tt_text.masks import generate_square_subsequent_mask
from tt_text.models import GPT, GPTConfig, LanguageModel, Llama, LlamaConfig
from tt_text.multihead import MultiheadAttention
from tt_text.positions import LearnedPositions, SinusoidalPositions, sinusoidal_table
from tt_text.rotary import RotaryEmbedding
from tt_text.tokenizers import (
    AddedToken,
    BPETokenizer,
    ByteTokenizer,
    CharTokenizer,
    Encoding,
    Llama2cTokenizer,
    MetaspaceBPETokenizer,
    PipelineTokenizer,
    Tokenizer,
    VocabularyStatistics,
    load_tokenizer,
    vocabulary_statistics,
)
from tt_text.transformer import Transformer, TransformerDecoder, TransformerEncoder
from tt_text.transformer_layers import TransformerDecoderLayer, TransformerEncoderLayer

__version__ = "0.1.0"

__all__ = [
    "GPT",
    "MLP",
    "AddedToken",
    "AppendCache",
    "BPETokenizer",
    "Beam",
    "ByteTokenizer",
    "Cache",
    "CharTokenizer",
    "Embedding",
    "EmbeddingBag",
    "Encoding",
    "GPTConfig",
    "LanguageModel",
    "LearnedPositions",
    "Llama",
    "Llama2cTokenizer",
    "LlamaConfig",
    "MetaspaceBPETokenizer",
    "MultiheadAttention",
    "PipelineTokenizer",
    "RotaryEmbedding",
    "SinusoidalPositions",
    "SwiGLU",
    "Tokenizer",
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
    "VocabularyStatistics",
    "alibi_bias",
    "alibi_slopes",
    "beam_search",
    "datasets",
    "functional",
    "generate",
    "generate_square_subsequent_mask",
    "load_tokenizer",
    "pictures",
    "scaled_dot_product_attention",
    "sinusoidal_table",
    "stream",
    "vocabulary_statistics",
    "watch_attention",
]
