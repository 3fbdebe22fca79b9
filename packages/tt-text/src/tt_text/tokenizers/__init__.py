"""Tokenizers: text as numbers, and back.

CharTokenizer           a token for each character of an alphabet
ByteTokenizer           a token for each byte of UTF-8
BPETokenizer            byte-level byte-pair encoding: trained here, or GPT-2's and others'
MetaspaceBPETokenizer   SentencePiece's byte-pair encoding, from a tokenizer.json (Llama)
PipelineTokenizer       any other BPE, WordPiece or WordLevel of a tokenizer.json, part by part
Llama2cTokenizer        the same from llama2.c's file
load_tokenizer          whichever of these is in a folder or a file
"""

from tt_text.tokenizers.bpe_tokenizer import BPETokenizer
from tt_text.tokenizers.byte_tokenizer import ByteTokenizer
from tt_text.tokenizers.char_tokenizer import CharTokenizer
from tt_text.tokenizers.encoding import Encoding
from tt_text.tokenizers.llama2c_tokenizer import Llama2cTokenizer
from tt_text.tokenizers.loading import load_tokenizer
from tt_text.tokenizers.metaspace_tokenizer import MetaspaceBPETokenizer
from tt_text.tokenizers.pipeline_tokenizer import PipelineTokenizer
from tt_text.tokenizers.special_tokens import AddedToken
from tt_text.tokenizers.statistics import VocabularyStatistics, vocabulary_statistics
from tt_text.tokenizers.tokenizer import Tokenizer

__all__ = [
    "AddedToken",
    "BPETokenizer",
    "ByteTokenizer",
    "CharTokenizer",
    "Encoding",
    "Llama2cTokenizer",
    "MetaspaceBPETokenizer",
    "PipelineTokenizer",
    "Tokenizer",
    "VocabularyStatistics",
    "load_tokenizer",
    "vocabulary_statistics",
]
