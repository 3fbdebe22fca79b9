"""generate: what comes back, when it ends, and that the same seed says the same."""

import inspect
import math

import numpy as np
import pytest

import tt_text
from tt_tensor import Generator, Tensor, manual_seed
from tt_tensor.errors import ArgumentError, DTypeError, IndexingError
from tt_text.generation import Sampler, generate


@pytest.fixture
def random_table(table_model):
    return table_model(np.random.default_rng(0).normal(size=(13, 13)).astype(np.float32))


# --- what comes back ---------------------------------------------------------------------------------------


def test_the_kind_that_was_given_comes_back(chain):
    model = chain([0, 1, 2, 3, 4, 5], 6)
    four = {"max_new_tokens": 2, "temperature": 0}
    assert generate(model, [1], **four) == [1, 2, 3]
    assert generate(model, (1,), **four) == [1, 2, 3]
    assert generate(model, [[1], [0, 2]], **four) == [[1, 2, 3], [0, 2, 3, 4]]
    for given, wanted in (([1], [1, 2, 3]), ([[1], [2]], [[1, 2, 3], [2, 3, 4]])):
        for made in (np.array(given, np.int32), Tensor(np.array(given))):
            back = generate(model, made, **four)
            assert back.dtype == np.int64
            assert back.tolist() == wanted
    assert generate(model, [[1], [0, 2]], with_prompt=False, **four) == [[2, 3], [3, 4]]
    assert generate(model, np.zeros((0, 3), int), **four).shape == (0, 0)


def test_text_comes_back_as_text(chain, piece_tokenizer):
    tokenizer = piece_tokenizer([b"To", b" be", b" or", b"\xc3", b"\xa4"])  # BOS 5, EOS 6
    model = chain([0, 1, 2, 3, 4, 6], 7)
    assert generate(model, "To", tokenizer=tokenizer, temperature=0) == "To be orä"
    assert generate(model, ["To", "To be"], tokenizer=tokenizer, temperature=0) == ["To be orä"] * 2
    assert generate(model, "To", tokenizer=tokenizer, temperature=0, with_prompt=False) == " be orä"
    assert generate(model, "To", 3, tokenizer=tokenizer, temperature=0) == "To be or\ufffd"
    assert generate(model, [0], tokenizer=tokenizer, temperature=0) == [0, 1, 2, 3, 4, 6]
    assert generate(model, "To", 9, tokenizer=tokenizer, temperature=0, eos_token_id=2) == "To be or"
    assert generate(model, [0], 7, tokenizer=tokenizer, temperature=0, eos_token_id=()) == [
        0,
        1,
        2,
        3,
        4,
        6,
        0,
        1,
    ]


def test_nothing_is_asked_for(random_table):
    assert generate(random_table, [3, 4], 0) == [3, 4]
    assert random_table.calls == []


# --- where it ends -----------------------------------------------------------------------------------------


def test_an_end_token_ends_a_row_and_the_others_go_on(chain):
    model = chain([0, 1, 2, 3, 4, 5], 6)
    assert generate(model, [[0], [3], [1]], 4, temperature=0, eos_token_id=4) == [
        [0, 1, 2, 3, 4],
        [3, 4],
        [1, 2, 3, 4],
    ]
    # Rows that ended are not computed any more.
    assert [shape[0] for shape in model.calls] == [3, 2, 2, 1]
    assert generate(model, [[0], [3]], 9, temperature=0, eos_token_id=[2, 4]) == [[0, 1, 2], [3, 4]]


def test_rows_of_an_array_that_ended_are_padded(chain):
    model = chain([0, 1, 2, 3, 4, 5], 6)
    batch = np.array([[0], [3]])
    options = {"max_new_tokens": 3, "temperature": 0}
    assert generate(model, batch, eos_token_id=4, **options).tolist() == [[0, 1, 2, 3], [3, 4, 4, 4]]
    back = generate(model, batch, eos_token_id=4, pad_token_id=0, **options)
    assert back.tolist() == [[0, 1, 2, 3], [3, 4, 0, 0]]
    back = generate(model, batch, stop=[4, 5], pad_token_id=0, **options)
    assert back.tolist() == [[0, 1, 2, 3], [3, 0, 0, 0]]
    with pytest.raises(ArgumentError, match="pass pad_token_id"):
        generate(model, batch, stop=[4, 5], **options)


def test_a_stop_is_no_part_of_it(chain, piece_tokenizer):
    tokenizer = piece_tokenizer([b"I said", b" yes", b" and", b" no", b"w"])
    model = chain([0, 1, 2, 3, 4], 7)
    say = {"tokenizer": tokenizer, "temperature": 0, "max_new_tokens": 4}
    assert generate(model, "I said", stop="and now", **say) == "I said yes "
    assert generate(model, [0], stop="and now", **say) == [0, 1]
    assert generate(model, "I said", stop=["nowhere", "no"], **say) == "I said yes and "
    assert generate(model, "I said", stop=[[2, 3]], **say) == "I said yes"
    assert generate(model, [0], stop=[2, 3], **say) == [0, 1]
    assert generate(model, "I said", stop="now or never", **say) == "I said yes and now"
    assert (
        generate(model, "I said", stop="said", **say) == "I said yes and now"
    )  # what the prompt has, is not said
    assert len(model.calls) == 4 + 4 + 3 + 3 + 3 + 4 + 4


# --- chance ------------------------------------------------------------------------------------------------


def test_the_same_seed_says_the_same(random_table):
    said = [generate(random_table, [1], 30, seed=seed) for seed in (0, 0, 1)]
    assert said[0] == said[1] != said[2]
    assert generate(random_table, [1], 30, generator=Generator(0)) == said[0]
    manual_seed(0)
    assert generate(random_table, [1], 30) == said[0]
    assert generate(random_table, [1], 30) not in said  # the default generator goes on
    manual_seed(0)
    assert generate(random_table, [1], 30) == said[0]
    ours = [generate(random_table, [1], 30, generator=np.random.default_rng(5)) for _ in range(2)]
    assert ours[0] == ours[1]


def test_a_greedy_call_draws_nothing(random_table):
    manual_seed(0)
    wanted = generate(random_table, [1], 30)
    manual_seed(0)
    generate(random_table, [1], 30, temperature=0)
    assert generate(random_table, [1], 30) == wanted


def test_each_row_has_a_stream_of_its_own(random_table):
    alone = generate(random_table, [1], 40, seed=7)
    batch = generate(random_table, [[1], [1], [2, 3]], 40, seed=7)
    assert batch[0] == alone
    assert batch[1] != alone
    assert generate(random_table, [[1], [5], [2, 3], [4]], 40, seed=7)[2] == batch[2]
    # Rows that end early change nothing, either.
    ended = generate(random_table, [[1], [1], [2, 3]], 40, seed=7, eos_token_id=4)
    for row, free, start in zip(ended, batch, (1, 1, 2), strict=True):
        assert row == free[: free.index(4, start) + 1] if 4 in free[start:] else row == free
    seeded = generate(random_table, [[1], [1], [2, 3]], 40, seed=[9, 7, np.int64(9)])
    assert seeded[1] == alone
    assert seeded[0] == generate(random_table, [1], 40, seed=9)
    assert seeded[2] == generate(random_table, [2, 3], 40, seed=9)


def test_what_is_said_is_as_likely_as_the_model_says(table_model):
    rng = np.random.default_rng(2)
    model = table_model(rng.normal(size=(5, 5)).astype(np.float32))
    n = 4000
    said = generate(model, np.zeros((n, 1), int), 2, temperature=0.8, top_k=4, seed=3)
    p = np.exp(Sampler(temperature=0.8, top_k=4).filtered(model.table.astype(np.float64)))
    p /= p.sum(1, keepdims=True)
    joint = p[0][:, None] * p  # of the first and the second
    drawn = np.zeros((5, 5))
    np.add.at(drawn, (said[:, 1], said[:, 2]), 1)
    assert (np.abs(drawn - n * joint) <= 5 * np.sqrt(n * joint * (1 - joint)) + 1e-9).all()
    assert drawn.sum() == n


# --- penalties ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "setting",
    [
        {"repetition_penalty": 1.7},
        {"frequency_penalty": 0.6},
        {"presence_penalty": 0.9},
        {"repetition_penalty": 0.6},
    ],
    ids=str,
)
def test_penalties_know_what_was_said(random_table, setting):
    def penalised(tokens, start, logits):
        for token in range(13):
            if token in tokens and "repetition_penalty" in setting:
                penalty = setting["repetition_penalty"]
                logits[token] *= penalty if logits[token] < 0 else 1 / penalty
            times = tokens[start:].count(token)
            logits[token] -= times * setting.get("frequency_penalty", 0)
            logits[token] -= (times > 0) * setting.get("presence_penalty", 0)
        return logits

    prompts, wanted = [[1], [4, 2, 2, 9], [3, 1]], []
    for prompt in prompts:
        row = list(prompt)
        for _ in range(15):
            row.append(int(np.argmax(penalised(row, len(prompt), random_table.table[row[-1]].astype(float)))))
        wanted.append(row)
    assert generate(random_table, prompts, 15, temperature=0, **setting) == wanted
    assert [generate(random_table, one, 15, temperature=0, **setting) for one in prompts] == wanted
    assert generate(random_table, prompts, 15, temperature=0) != wanted
    ends = generate(random_table, prompts, 15, temperature=0, eos_token_id=wanted[1][7], **setting)
    assert all(row == free[: len(row)] for row, free in zip(ends, wanted, strict=True))
    assert len(ends[1]) <= 8


# --- around it ---------------------------------------------------------------------------------------------


def test_models_have_it_as_methods(tiny):
    assert tiny.generate([1, 2], 5, temperature=0) == generate(tiny, [1, 2], 5, temperature=0)
    assert list(tiny.stream([1, 2], 5, seed=0)) == generate(tiny, [1, 2], 5, seed=0)[2:]


def test_stream_takes_what_generate_takes():
    of_generate = inspect.signature(tt_text.generate).parameters
    of_stream = inspect.signature(tt_text.stream).parameters
    assert set(of_generate) - set(of_stream) == {"pad_token_id", "with_prompt"}
    assert [name for name in of_generate if name in of_stream] == list(of_stream)
    assert all(of_generate[name].default == one.default for name, one in of_stream.items())


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"max_new_tokens": -1}, ArgumentError, "max_new_tokens is at least 0, not -1"),
        ({"max_new_tokens": 2.0}, DTypeError, r"max_new_tokens.*2\.0"),
        ({"max_new_tokens": None}, DTypeError, "max_new_tokens.*None"),
        ({"temperature": -1}, ArgumentError, "temperature.*-1"),
        ({"top_p": math.nan}, ArgumentError, "top_p.*nan"),
        ({"eos_token_id": 13}, IndexingError, "eos_token_id has the token 13.*0 to 12"),
        ({"eos_token_id": "x"}, DTypeError, "eos_token_id.*'x'"),
        ({"eos_token_id": [1, True]}, DTypeError, "eos_token_id.*True"),
        ({"pad_token_id": -1}, IndexingError, "pad_token_id has the token -1"),
        ({"pad_token_id": [1, 2]}, ArgumentError, r"pad_token_id is one token, not \[1, 2\]"),
        ({"seed": 1, "generator": Generator(1)}, ArgumentError, "seed=1 and a generator exclude each other"),
        ({"seed": [1, 2]}, ArgumentError, "2 seeds for 1 prompts"),
        ({"generator": 3}, DTypeError, "generator is a Generator, not int"),
        ({"stop": ""}, ArgumentError, "empty stop"),
    ],
    ids=str,
)
def test_arguments_out_of_range(random_table, options, error, said):
    with pytest.raises(error, match=f"^generate: .*{said}"):
        generate(random_table, [1], **options)
    assert random_table.calls == []


@pytest.mark.parametrize("seed", [-1, 2**64, "x", 1.5])
def test_seeds_out_of_range(random_table, seed):
    with pytest.raises((ArgumentError, DTypeError), match="seed"):
        generate(random_table, [1], seed=seed)
