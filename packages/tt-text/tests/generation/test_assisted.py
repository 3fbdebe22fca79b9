"""Assisted generation: whatever the draft says, the tokens, or their distribution, are those of the model alone."""

import copy
import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tt_nn import Dropout
from tt_tensor.errors import ArgumentError, DTypeError
from tt_text import AppendCache
from tt_text.generation import Sampler, generate, stream
from tt_text.generation.assisted import LookupDraft


class Says:
    """A draft that proposes what it was told to, whatever the text is."""

    def __init__(self, *proposals):
        self.proposals = proposals
        self.asked = []

    def propose(self, text, count, choose):
        self.asked.append((text.tolist(), count))
        return [(token, None) for token in self.proposals[:count]]


class Nothing:
    def propose(self, text, count, choose):
        return []


def shaken(model, amount):
    """The model with noise on its weights."""
    other, rng = copy.deepcopy(model), np.random.default_rng(0)
    for parameter in other.parameters():
        noise = rng.normal(size=parameter.shape) * amount * np.abs(parameter.array).mean()
        parameter.write(parameter.array + noise)
    return other


@pytest.fixture
def random_table(table_model):
    return table_model(np.random.default_rng(0).normal(size=(13, 13)).astype(np.float32) * 2)


@pytest.fixture
def other_table(table_model):
    return table_model(np.random.default_rng(1).normal(size=(13, 13)).astype(np.float32) * 2)


# --- greedily: the same tokens -------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", [0, 0.1, 0.5, 5])
@pytest.mark.parametrize("ahead", [1, 2, 5, 9])
def test_tokens_are_those_of_the_model_alone(tiny, amount, ahead):
    draft = shaken(tiny, amount)
    for length in (1, 2, 7, 15, 16, 20):  # up to the context, which is 16, and beyond
        prompt = np.random.default_rng(length).integers(0, 23, length).tolist()
        wanted = generate(tiny, prompt, 18, temperature=0)
        made = generate(tiny, prompt, 18, temperature=0, assistant_model=draft, num_assistant_tokens=ahead)
        assert made == wanted
        assert (
            list(stream(tiny, prompt, 18, temperature=0, assistant_model=draft, num_assistant_tokens=ahead))
            == (wanted[length:])
        )


def test_penalties_meet_drafts_as_well(tiny):
    options = {"temperature": 0, "repetition_penalty": 1.3, "frequency_penalty": 0.4, "presence_penalty": 0.2}
    wanted = generate(tiny, [1, 2], 13, **options)
    assert wanted != generate(tiny, [1, 2], 13, temperature=0)
    twin, forwards = copy.deepcopy(tiny), counted(tiny)
    assert generate(tiny, [1, 2], 13, assistant_model=twin, num_assistant_tokens=3, **options) == wanted
    assert len(forwards) == 1 + 3  # every proposal was right: 1, then 4 at a time


def counted(model):
    """The number of tokens of each forward of the model, from now on."""
    found = []
    model.register_forward_pre_hook(lambda module, inputs: found.append(np.shape(inputs[0])[1]))
    return found


@pytest.mark.parametrize("context", [5, 8, 40])
def test_a_draft_of_another_context(tiny, table_model, context):
    draft = table_model(np.random.default_rng(0).normal(size=(23, 23)), context)
    wanted = generate(tiny, [1, 2, 3], 20, temperature=0)
    assert generate(tiny, [1, 2, 3], 20, temperature=0, assistant_model=draft) == wanted
    # What has been read is not read again; past its context, the draft is not asked.
    assert all(length <= 2 for _, length in draft.calls[1:])


def test_each_forward_gives_one_token_more_than_proposals_are_right(chain):
    model = chain([0, 1, 2, 3, 4, 5, 6, 7], 9)
    say = {"temperature": 0, "max_new_tokens": 6}
    # None of 2, 3, 8 is right, and the model says 1; then two are, and it adds 4; then none is.
    draft = Says(2, 3, 8)
    assert generate(model, [0], assistant_model=draft, **say) == [0, 1, 2, 3, 4, 5, 6]
    assert model.calls == [(1, 4), (1, 4), (1, 3), (1, 2)]
    assert draft.asked == [([0], 5), ([0, 1], 5), ([0, 1, 2, 3, 4], 2), ([0, 1, 2, 3, 4, 5], 1)]


def test_a_prompt_is_read_alone_and_its_last_logits_only(chain):
    model, draft = chain([0, 1, 2, 3, 4, 5], 6), chain([0, 1, 2, 3, 4, 5], 6)
    help_ = {"assistant_model": draft, "num_assistant_tokens": 2}
    assert generate(model, [0, 1], 4, temperature=0, **help_) == [0, 1, 2, 3, 4, 5]
    assert model.calls == [(1, 2), (1, 3)]
    assert draft.calls == [(1, 3), (1, 1)]


def test_what_the_draft_has_read_it_does_not_read_again(chain):
    model, draft = chain([0, 1, 2, 3, 4, 5, 6, 0, 1], 7), chain([0, 1, 2, 3, 4, 5, 6, 0, 1], 7)
    generate(model, [0], 8, temperature=0, assistant_model=draft, num_assistant_tokens=2)
    assert model.calls == [(1, 3), (1, 3), (1, 3)]
    # The last proposal and the token after it.
    assert draft.calls == [(1, 1), (1, 1), (1, 2), (1, 1), (1, 2), (1, 1)]


def test_half_precision_and_no_proposals(table_model):
    model = table_model(np.eye(5, dtype=np.float16)[:, [4, 0, 1, 2, 3]] * 9)
    for draft in (Nothing(), Says(1), Says(4, 4), model):
        assert generate(model, [0], 4, temperature=0, assistant_model=draft) == [0, 1, 2, 3, 4]
        assert generate(model, [0], 4, top_p=0.9, seed=0, assistant_model=draft) == [0, 1, 2, 3, 4]


# --- where it ends -------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    table=st.integers(0, 9),
    count=st.integers(0, 12),
    ahead=st.integers(1, 5),
    stop=st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=3), max_size=2),
    ends=st.lists(st.integers(0, 6), max_size=2),
)
def test_stops_and_end_tokens_among_proposals(table_model, table, count, ahead, stop, ends):
    rng = np.random.default_rng(table)
    model, draft = table_model(rng.normal(size=(7, 7))), table_model(rng.normal(size=(7, 7)))
    draft.table[::2] = model.table[::2]
    options = {"temperature": 0, "stop": stop, "eos_token_id": ends, "max_new_tokens": count}
    wanted = generate(model, [1, 2], **options)
    for help_ in (
        {"assistant_model": draft, "num_assistant_tokens": ahead},
        {"prompt_lookup_num_tokens": ahead},
    ):
        assert generate(model, [1, 2], **help_, **options) == wanted
        assert list(stream(model, [1, 2], **help_, **options)) == wanted[2:]


def test_text_and_its_stops(chain, piece_tokenizer):
    tokenizer = piece_tokenizer([b"I said", b" yes", b" and", b" no", b"w"])
    model = chain([0, 1, 2, 3, 4], 7)
    say = {"tokenizer": tokenizer, "temperature": 0, "assistant_model": Says(2, 3, 4)}
    assert generate(model, "I said", 4, stop="and now", **say) == "I said yes "
    assert generate(model, "I said", 4, stop=["nowhere", "no"], **say) == "I said yes and "
    assert generate(model, "I said", 4, **say) == "I said yes and now"
    assert "".join(stream(model, "I said", 4, stop="and now", **say)) == " yes "


def test_a_cache_of_the_callers_holds_the_text(tiny):
    cache = AppendCache()
    options = {"temperature": 0, "eos_token_id": generate(tiny, [1, 2, 3], 9, temperature=0)[-1]}
    made = generate(tiny, [1, 2, 3], 12, cache=cache, assistant_model=copy.deepcopy(tiny), **options)
    assert made == generate(tiny, [1, 2, 3], 12, **options)
    assert cache.length in (len(made) - 1, len(made))  # of what was proposed beyond the end, nothing


def test_both_models_are_as_they_were(tiny):
    model, draft = tiny, copy.deepcopy(tiny)
    model.layer, draft.layer = Dropout(0.5), Dropout(0.5)
    model.train(), draft.train()
    draft.layer.eval()
    modes = []
    draft.register_forward_pre_hook(lambda module, inputs: modes.append(module.training))
    said = stream(model, [1], 6, temperature=0, assistant_model=draft)
    for _ in said:
        assert model.training and model.layer.training and draft.training and not draft.layer.training
    assert modes and not any(modes)


# --- by chance: the same distribution ------------------------------------------------------------------------


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**32), kept=st.integers(1, 5), drawn=st.booleans())
def test_a_corrected_token_has_the_probability_of_the_model(seed, kept, drawn):
    """Over all proposals, and a grid of random numbers."""
    rng = np.random.default_rng(seed)
    sampler = Sampler(top_k=kept, temperature=0.8)
    logits, other = rng.normal(size=(2, 5)) * 2
    p, q = sampler.probabilities(logits), sampler.probabilities(other)
    grid = (np.arange(40) + 0.5) / 40
    found = np.zeros(5)
    for token, weight in enumerate(q) if drawn else [(int(rng.integers(5)), 1.0)]:
        for u in grid:
            # If it is taken, nothing else is drawn.
            seconds = grid[:1] if u * (q[token] if drawn else 1) < p[token] else grid
            for v in seconds:
                draws = iter((u, v)).__next__
                took = sampler.corrected(logits, token, q if drawn else None, draws)
                found[took] += weight / len(grid) / len(seconds)
    assert p.sum() == pytest.approx(1)
    np.testing.assert_allclose(found, p, atol=0.03)


SETTINGS = [
    {},
    {"temperature": 0.6, "top_k": 2, "repetition_penalty": 1.5},
    {"top_p": 0.8, "frequency_penalty": 0.7, "presence_penalty": 0.5, "min_p": 0.1},
]


@pytest.mark.parametrize("options", SETTINGS, ids=str)
@pytest.mark.parametrize("kind", ["draft", "lookup"])
def test_texts_have_the_probability_of_the_model(table_model, kind, options):
    """All texts of three tokens after one, by the definition, against how often each comes."""
    rng = np.random.default_rng(1)
    model, draft = (table_model(rng.normal(size=(3, 3)).astype(np.float32)) for _ in range(2))
    sampler = Sampler(**options)
    wanted = {}
    for text in itertools.product(range(3), repeat=3):
        p, seen, counts, last = 1.0, np.array([False, True, False]), np.zeros(3, int), 1
        for token in text:
            p *= sampler.probabilities(sampler.penalised(model.table[last], seen, counts))[token]
            seen[token], last = True, token
            counts[token] += 1
        wanted[text] = p
    assert sum(wanted.values()) == pytest.approx(1)
    help_ = {"assistant_model": draft, "num_assistant_tokens": 2}
    if kind == "lookup":
        help_ = {"prompt_lookup_num_tokens": 2}
    times = 1000
    found = dict.fromkeys(wanted, 0)
    for seed in range(times):
        found[tuple(generate(model, [1], 3, seed=seed, **help_, **options)[1:])] += 1
    assert not any(found[text] for text, p in wanted.items() if p == 0)
    often = [text for text, p in wanted.items() if p * times >= 5]
    rest = times - sum(found[text] for text in often), times - sum(wanted[text] * times for text in often)
    pairs = [(found[text], wanted[text] * times) for text in often] + ([rest] if rest[1] > 1 else [])
    chi, freedom = sum((a - b) ** 2 / b for a, b in pairs), len(pairs) - 1
    # Of a chi-square distribution, mean and variance are freedom and twice that.
    assert chi < freedom + 4 * np.sqrt(2 * freedom)


def test_the_same_seed_says_the_same_however_much_is_wanted(random_table, other_table):
    options = {"assistant_model": other_table, "num_assistant_tokens": 3}
    said = [generate(random_table, [1], 30, seed=seed, **options) for seed in (0, 0, 1)]
    assert said[0] == said[1] != said[2]
    assert list(stream(random_table, [1], 30, seed=0, **options)) == said[0][1:]
    endless = stream(random_table, [1], None, seed=0, **options)
    assert [next(endless) for _ in range(30)] == said[0][1:]
    for count in range(30):
        assert generate(random_table, [1], count, seed=0, **options) == said[0][: count + 1]


def test_what_both_models_would_say_is_always_taken(random_table):
    twin = copy.deepcopy(random_table)
    generate(random_table, [1], 40, seed=0, top_k=5, assistant_model=twin, num_assistant_tokens=4)
    assert random_table.calls == [(1, 5)] * 8


# --- looked up -----------------------------------------------------------------------------------------------


@given(text=st.lists(st.integers(0, 3), min_size=1, max_size=12), count=st.integers(1, 4))
def test_what_is_looked_up(text, count):
    """By the definition."""
    wanted = []
    for length in (3, 2, 1):
        for start in range(len(text) - length):
            if not wanted and text[start : start + length] == text[-length:]:
                wanted = text[start + length : start + length + count]
    assert [token for token, _ in LookupDraft().propose(np.array(text), count, None)] == wanted


def test_a_text_that_repeats_itself_takes_few_forwards(table_model):
    model = table_model(np.roll(np.eye(5, dtype=np.float32), 1, axis=1))
    made = generate(model, [0], 40, temperature=0, prompt_lookup_num_tokens=4)
    assert made == [i % 5 for i in range(41)]
    assert len(model.calls) == 5 + 7


# --- what it does not do ---------------------------------------------------------------------------------------


class Unforgetting(AppendCache):
    truncate = property()


def test_what_cannot_be(tiny, chain, random_table):
    other = chain([0, 1], 2)
    for options, kind, words in (
        ({"assistant_model": other}, ArgumentError, r"TableModel has 2 tokens, the model \w+ 23"),
        ({"assistant_model": 3}, DTypeError, "assistant_model is a LanguageModel"),
        ({"num_assistant_tokens": 3}, ArgumentError, "without an assistant_model"),
        ({"assistant_model": tiny, "num_assistant_tokens": 0}, ArgumentError, "at least 1, not 0"),
        ({"assistant_model": tiny, "prompt_lookup_num_tokens": 2}, ArgumentError, "pass one of the two"),
        ({"prompt_lookup_num_tokens": 2.5}, DTypeError, "whole number"),
        ({"prompt_lookup_num_tokens": 2, "cache": False}, ArgumentError, "without a cache"),
        ({"prompt_lookup_num_tokens": 2, "cache": Unforgetting()}, ArgumentError, "has no truncate"),
    ):
        for call in (generate, stream):
            with pytest.raises(kind, match=words):
                call(tiny, [1, 2], 3, **options)
    with pytest.raises(ArgumentError, match="one text at a time, not 2"):
        generate(tiny, [[1], [2]], 3, assistant_model=tiny)
    assert generate(tiny, [[1]], 3, temperature=0, assistant_model=tiny) == generate(
        tiny, [[1]], 3, temperature=0
    )


def test_logits_that_are_not_finite(table_model):
    bad = table_model(np.full((3, 3), np.nan, np.float32))
    good = table_model(np.eye(3, dtype=np.float32))
    for model, draft in ((good, bad), (bad, good)):
        for options in ({"temperature": 0}, {"seed": 0}):
            with pytest.raises(ArgumentError, match="no token to draw"):
                generate(model, [0], 3, assistant_model=draft, **options)


def test_the_cache_forgets():
    cache, rng = AppendCache(), np.random.default_rng(0)
    keys = rng.normal(size=(1, 2, 9, 4))
    cache.update(0, keys[:, :, :6], keys[:, :, :6])
    cache.advance(6)
    cache.truncate(4)
    assert cache.length == 4
    new = -keys[:, :, :2]
    found, _ = cache.update(0, new, new)
    np.testing.assert_array_equal(found, np.concatenate((keys[:, :, :4], new), axis=2))
    for length in (-1, 5):
        with pytest.raises(ArgumentError, match=f"{length} tokens of the 4"):
            cache.truncate(length)
