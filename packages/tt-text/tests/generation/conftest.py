"""Models and tokenizers that are small enough to see through."""

import itertools

import numpy as np
import pytest

import tt_text
from tt_tensor import Tensor, random
from tt_text import AppendCache, GPTConfig, LanguageModel, LlamaConfig


class TableModel(LanguageModel):
    """The logits after a token are a row of a table; `calls` has the shape of what each forward was given."""

    def __init__(self, table, context=1000):
        self.table = np.asarray(table)
        self.reach = context
        self.calls = []

    @property
    def context(self):
        return self.reach

    @property
    def vocab_size(self):
        return len(self.table)

    def forward(self, tokens, positions=None, attention_mask=None, cache=None, last=False):
        self.calls.append(tokens.shape)
        tokens = self._tokens(tokens, cache)
        if cache is not None:
            keys = np.zeros((len(tokens), 1, tokens.shape[1], 1))
            cache.update(0, keys, keys)
            cache.advance(tokens.shape[1])
        return Tensor(self.table[tokens[:, -1:] if last else tokens])


class PieceTokenizer:
    """Each token stands for some bytes, which need be no whole characters; the last two are BOS and EOS."""

    def __init__(self, pieces, strip=False):
        self.pieces = [*pieces, b"", b""]
        self.bos_id, self.eos_id, self.pad_id = len(pieces), len(pieces) + 1, None
        self.strip = strip  # a text loses its first space, as Llama's do

    @property
    def prefix_ids(self):
        return (self.bos_id,)

    def encode(self, text, add_special_tokens=True):
        data, tokens = text.encode(), [self.bos_id] if add_special_tokens else []
        while data:
            best = max(
                (i for i, piece in enumerate(self.pieces) if piece and data.startswith(piece)),
                key=lambda i: len(self.pieces[i]),
            )
            tokens.append(best)
            data = data[len(self.pieces[best]) :]
        return tokens

    def decode_bytes(self, tokens, skip_special_tokens=False):
        data = b"".join([self.pieces[token] for token in tokens])
        return data[1:] if self.strip and data.startswith(b" ") else data


@pytest.fixture
def table_model():
    """table_model(table, context) makes a TableModel."""
    return TableModel


@pytest.fixture
def chain(table_model):
    """chain(sequence, vocab_size) makes a model that, greedily, says these different tokens one after the other."""

    def make(sequence, vocab_size):
        table = np.zeros((vocab_size, vocab_size), np.float32)
        for before, after in itertools.pairwise(sequence):
            table[before, after] = 9
        return table_model(table)

    return make


@pytest.fixture
def piece_tokenizer():
    """piece_tokenizer(pieces) makes a PieceTokenizer."""
    return PieceTokenizer


def _tiny(kind, context=16):
    random.manual_seed(3)
    if kind == "gpt":
        model = tt_text.GPT(GPTConfig(23, context, n_layer=2, n_head=2, n_embd=16))
    else:
        model = tt_text.Llama(
            LlamaConfig(
                23,
                hidden_size=16,
                intermediate_size=24,
                num_hidden_layers=2,
                num_attention_heads=4,
                num_key_value_heads=2,
                max_position_embeddings=context,
            )
        )
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.write(parameter.array * 15)  # far from uniform, so that every token counts
    return model.double().eval()


@pytest.fixture(params=["gpt", "llama"])
def tiny(request):
    """A small random GPT and Llama in float64, each with a context of 16."""
    return _tiny(request.param)


@pytest.fixture
def append_cache():
    return AppendCache
