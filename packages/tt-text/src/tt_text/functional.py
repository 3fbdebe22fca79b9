"""The layers as plain functions: `import tt_text.functional as F`, with PyTorch's names."""

from tt_text.attention import scaled_dot_product_attention
from tt_text.embedding import embedding
from tt_text.embedding_bag import embedding_bag

__all__ = ["embedding", "embedding_bag", "scaled_dot_product_attention"]
