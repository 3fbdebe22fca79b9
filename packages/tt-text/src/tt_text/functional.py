"""The layers as plain functions: `import tt_text.functional as F`, with PyTorch's names."""

from tt_text.embedding import embedding

__all__ = ["embedding"]
