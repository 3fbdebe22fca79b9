"""The layers as plain functions: `import tt_text.functional as F`, with PyTorch's names."""

from tt_text.attention import scaled_dot_product_attention
from tt_text.embedding import embedding

__all__ = ["embedding", "scaled_dot_product_attention"]
