"""Patterns of a tokenizer.json mean what they mean to the `tokenizers` library."""

# ruff: noqa: E501  (tables)

import json

import pytest

from tt_text.errors import TokenizerError
from tt_text.tokenizers import BPETokenizer
from tt_text.tokenizers.oniguruma import from_ruby, to_ruby
from tt_text.tokenizers.split_patterns import GPT2, compiled, isolated

TEXTS = ["12345 a1234567\n\nb x ", "½ 5²\u200d_w\n", "aaaaa\nbaab\n"]
# What pre_tokenizers.Split(Regex(pattern), "isolated") of tokenizers 0.23.3 makes of the texts.
PIECES = [
    (r"\p{N}{1,3}+", [["12345", " a", "1234567", "\n\nb x "], ["½", " ", "5²", "\u200d_w\n"], ["aaaaa\nbaab\n"]]),
    (r"\p{N}{1,3}", [["123", "45", " a", "123", "456", "7", "\n\nb x "], ["½", " ", "5²", "\u200d_w\n"], ["aaaaa\nbaab\n"]]),
    (r"[ax]{0,2}+", [["1", "2", "3", "4", "5", " ", "a", "1", "2", "3", "4", "5", "6", "7", "\n", "\n", "b", " ", "x", " "],
                     ["½", " ", "5", "²", "\u200d", "_", "w", "\n"], ["aaaaa", "\n", "b", "aa", "b", "\n"]]),
    (r"^.", [["1", "2345 a1234567\n\n", "b", " x "], ["½", " 5²\u200d_w\n"], ["a", "aaaa\n", "b", "aab\n"]]),
    (r".$", [["12345 a123456", "7", "\n\nb x", " "], ["½ 5²\u200d_", "w", "\n"], ["aaaa", "a", "\nbaa", "b", "\n"]]),
    (r"\A.", [["1", "2345 a1234567\n\nb x "], ["½", " 5²\u200d_w\n"], ["a", "aaaa\nbaab\n"]]),
    (r"\s\z", [["12345 a1234567\n\nb x", " "], ["½ 5²\u200d_w", "\n"], ["aaaaa\nbaab", "\n"]]),
    (r"[^a[5x]\s]+", [["1234", "5 a", "1234", "5", "67", "\n\n", "b", " x "], ["½", " 5", "²\u200d_w", "\n"],
                      ["aaaaa\n", "b", "aa", "b", "\n"]]),
    (r"[[1-3]a]+", [["123", "45 ", "a123", "4567\n\nb x "], ["½ 5²\u200d_w\n"], ["aaaaa", "\nb", "aa", "b\n"]]),
    (r"\w+", [["12345", " ", "a1234567", "\n\n", "b", " ", "x", " "], ["½", " ", "5²", "\u200d", "_w", "\n"], ["aaaaa", "\n", "baab", "\n"]]),
    (r"[^\w\s]+", [["12345 a1234567\n\nb x "], ["½", " 5", "²\u200d", "_w\n"], ["aaaaa\nbaab\n"]]),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "pieces"), PIECES)
def test_the_librarys_pieces(pattern, pieces):
    ours = from_ruby(pattern, "")
    assert [list(isolated(compiled(ours, ""), text)) for text in TEXTS] == pieces
    again = from_ruby(to_ruby(ours), "")
    assert [list(isolated(compiled(again, ""), text)) for text in TEXTS] == pieces


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (GPT2, GPT2),
        (r"\p{N}{1,3}+|\s++$", r"(?>\p{N}{1,3})|\s++\Z"),
        (r"((?:a|\))b){2}+x{2,3}?", r"(?>((?:a|\))b){2})x{2,3}?"),
        (r"[a{1,2}+]{1,2}+^\Z", r"(?>[a{1,2}+]{1,2})\A\z"),
        (r"(?m:^)a(?m:$)\$", r"^a$\$"),
        (r"\w\\w[\w-]", r"[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200c\u200d]\\w[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200c\u200d-]"),
    ],
)  # fmt: skip
def test_patterns_are_written_in_the_librarys_syntax(ours, theirs, tmp_path):
    assert to_ruby(ours) == theirs
    if ours == GPT2:
        return
    tokenizer = BPETokenizer({bytes([byte]): byte for byte in range(256)}, [], pattern=ours)
    tokenizer.save_tokenizer_json(tmp_path / "tokenizer.json")
    document = json.loads((tmp_path / "tokenizer.json").read_text("utf-8"))
    assert document["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] == theirs
    assert BPETokenizer.from_tokenizer_json(tmp_path / "tokenizer.json").encode("12345") == [*b"12345"]


@pytest.mark.parametrize(
    "part", [r"a{2,3}+", "a{2}?", r"\h", r"\b", "[a&&b]", "[a[^b]]", "[a-[b]]", "(?m:.)", "[[:punct:]]"]
)
def test_what_has_two_meanings_is_refused(part):
    with pytest.raises(TokenizerError, match=r"in the pattern .* is not supported"):
        from_ruby(f"x{part}", "file")
    if part != r"a{2,3}+":
        with pytest.raises(TokenizerError, match=r"nothing that a tokenizer\.json can say"):
            to_ruby(f"x{part}")
