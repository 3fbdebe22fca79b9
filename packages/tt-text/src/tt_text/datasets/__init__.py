"""Text and tokens to learn from.

    text = TinyShakespeare("train").text
    blocks = TokenDataset(tokens, block_size=64)     x and, one token later, y

`write_tokens` and `TokenFile` keep a corpus on disk that is larger than memory, `RandomBlocks` draws from it.
"""

from tt_data.errors import DatasetError
from tt_text.datasets.random_blocks import RandomBlocks
from tt_text.datasets.tiny_shakespeare import TinyShakespeare
from tt_text.datasets.token_file import TokenFile, write_tokens
from tt_text.datasets.tokens import TokenDataset

__all__ = [
    "DatasetError",
    "RandomBlocks",
    "TinyShakespeare",
    "TokenDataset",
    "TokenFile",
    "write_tokens",
]
