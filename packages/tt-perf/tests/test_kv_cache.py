"""KVCache: with it a model says at every position what it says without; memory is taken once and reported as it is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tt_perf
from tt_perf import CacheFullError, KVCache
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError, TTError

VOCAB, CONTEXT = 31, 40


def drawn(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


# --- by itself ------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(
    window=st.one_of(st.none(), st.integers(1, 12)),
    pieces=st.lists(st.integers(0, 9), max_size=12),
    texts=st.integers(1, 3),
)
def test_it_gives_all_that_attention_sees(window, pieces, texts):
    """Against a list of all keys: the new ones are last, and before them as many as the first of them may see."""
    total = sum(pieces)
    cache = KVCache(2, 3, 2, max(total, 1), 4, window=window)
    memory = cache.nbytes
    keys, values = drawn(0, 2, texts, 2, total, 4), drawn(1, 2, texts, 2, total, 4)
    start = 0
    for t in pieces:
        assert cache.length == start
        stop = start + t
        for layer in range(2):
            new = keys[layer, :, :, start:stop], values[layer, :, :, start:stop]
            seen_keys, seen_values = cache.update(layer, *new)
            least = stop if window is None else min(stop, window - 1 + t)
            assert least <= seen_keys.shape[2] <= stop
            first = stop - seen_keys.shape[2]
            np.testing.assert_array_equal(seen_keys, keys[layer, :, :, first:stop])
            np.testing.assert_array_equal(seen_values, values[layer, :, :, first:stop])
        cache.advance(t)
        start = stop
    assert cache.nbytes == memory
    assert cache.report().kept == (total if window is None else min(total, window))


@settings(deadline=None)
@given(
    window=st.one_of(st.none(), st.integers(1, 12)),
    pieces=st.lists(st.tuples(st.integers(1, 6), st.integers(0, 6)), max_size=12),
)
def test_it_forgets_what_the_last_update_added(window, pieces):
    """Against a list of all keys; some are written again, as others."""
    cache = KVCache(1, 1, 2, 80, 4, window=window)
    held = np.zeros((1, 2, 0, 4), np.float32)
    for seed, (t, fewer) in enumerate(pieces):
        t = t if window is None else min(t, window)
        new = drawn(seed, 1, 2, t, 4)
        held = np.concatenate((held, new), axis=2)
        keys, _ = cache.update(0, new, -new)
        least = held.shape[2] if window is None else min(held.shape[2], window - 1 + t)
        assert keys.shape[2] >= least
        np.testing.assert_array_equal(keys, held[:, :, held.shape[2] - keys.shape[2] :])
        cache.advance(t)
        held = held[:, :, : held.shape[2] - min(fewer, t)]
        cache.truncate(held.shape[2])
        assert cache.length == held.shape[2]
        assert cache.report().kept == (held.shape[2] if window is None else min(held.shape[2], window))


def test_it_cannot_forget_more_than_it_has():
    cache = KVCache(1, 1, 1, 40, 2, window=4)
    for _ in range(30):
        new = drawn(0, 1, 1, 1, 2)
        cache.update(0, new, new)
        cache.advance(1)
    for length in (31, -1):
        with pytest.raises(ArgumentError, match=f"{length} tokens of the 30"):
            cache.truncate(length)
    with pytest.raises(
        ArgumentError, match="after 20 tokens, the next one sees 3 before it, but only the last"
    ):
        cache.truncate(20)
    assert cache.length == 30
    cache.reset()
    cache.truncate(0)


@pytest.mark.parametrize("window", [None, 1, 3])
@pytest.mark.parametrize("kind", ["KVCache", "AppendCache"])
def test_room_that_is_written_to_is_what_update_gives(kind, window):
    text = pytest.importorskip("tt_text", reason="needs tt-text")
    rng = np.random.default_rng(0)

    def made():
        return text.AppendCache() if kind == "AppendCache" else tt_perf.KVCache(2, 3, 2, 80, 4, window=window)

    one, other, rooms = made(), made(), 0
    for t in [3, *[1] * 70]:
        for layer in range(2):
            keys, values = rng.normal(size=(2, 2, 2, t, 4)).astype(np.float32)
            expected = one.update(layer, keys, values)
            room = other.extend(layer, keys.shape, keys.dtype)
            rooms += room is not None
            if room is None:
                room = other.update(layer, keys, values)
            else:
                room[0][:, :, -t:], room[1][:, :, -t:] = keys, values
            for found, wanted in zip(room, expected, strict=True):
                np.testing.assert_array_equal(found, wanted)
        one.advance(t)
        other.advance(t)
    assert rooms >= 60 or window is not None
    assert other.extend(0, (1, 2, 1, 4), np.float32) is None  # another number of texts
    assert other.extend(0, (2, 2, 1, 4), np.float16) is None
    assert other.extend(2, (2, 2, 1, 4), np.float32) is None
    assert other.extend(0, (2, 2, 200, 4), np.float32) is None


def test_select_keeps_texts_in_their_new_order():
    cache = KVCache(1, 4, 2, 8, 3)
    keys = drawn(0, 2, 2, 5, 3)
    cache.update(0, keys, -keys)
    cache.advance(5)
    cache.select([1, 0, 1])
    new = drawn(1, 3, 2, 1, 3)
    seen, values = cache.update(0, new, -new)
    np.testing.assert_array_equal(seen[:, :, :5], keys[[1, 0, 1]])
    np.testing.assert_array_equal(seen[:, :, 5:], new)
    np.testing.assert_array_equal(values, -seen)
    with pytest.raises(CacheFullError, match="5 texts, but it was made for 4"):
        cache.select([0] * 5)


@pytest.mark.parametrize("rows", [[2], [-1], [0.5], [True], [[0]], 0, ["a"]], ids=str)
def test_a_text_that_there_is_not_cannot_be_selected(rows):
    cache = KVCache(1, 4, 2, 8, 3)
    cache.update(0, drawn(0, 2, 2, 5, 3), drawn(0, 2, 2, 5, 3))
    cache.advance(5)
    with pytest.raises(ArgumentError, match="rows are numbers of texts, from 0 to 1 here"):
        cache.select(rows)
    assert cache.length == 5


def test_reset_forgets_and_keeps_the_memory():
    cache = KVCache(1, 2, 2, 4, 3)
    keys = drawn(0, 2, 2, 4, 3)
    seen, _ = cache.update(0, keys, keys)
    cache.advance(4)
    cache.reset()
    assert cache.length == 0
    again, _ = cache.update(0, keys[:1, :, :2], keys[:1, :, :2])
    assert again.shape == (1, 2, 2, 3)
    assert np.shares_memory(seen, again)


def test_float16_keeps_half_and_gives_what_came():
    cache, whole = KVCache(1, 1, 2, 8, 4, np.float16), KVCache(1, 1, 2, 8, 4)
    keys = drawn(0, 1, 2, 8, 4)
    seen, values = cache.update(0, keys, keys)
    assert 2 * cache.nbytes == whole.nbytes
    assert seen.dtype == values.dtype == np.float32
    np.testing.assert_array_equal(seen, keys.astype(np.float16).astype(np.float32))


def test_the_report_counts_bytes():
    cache = KVCache(layers=3, batch=4, heads=2, capacity=10, head_dim=8)
    report = cache.report()
    assert (report.used, report.tokens, report.texts) == (0, 0, 0)
    keys = drawn(0, 3, 2, 6, 8)
    for layer in range(3):
        cache.update(layer, keys, keys)
    cache.advance(6)
    report = cache.report()
    assert report.bytes_per_token == 2 * 3 * 2 * 8 * 4
    assert report.used == report.bytes_per_token * 3 * 6
    assert report.reserved == cache.nbytes == report.bytes_per_token * 4 * 10
    assert report.used_by_layer == (report.used // 3,) * 3
    assert str(report) == (
        "3 texts, 6 tokens seen, 6 kept; 3 layers\n384 bytes for a token of one text\n6,912 of 15,360 bytes used (45%)"
    )


def test_a_window_bounds_the_memory():
    assert KVCache(1, 1, 1, 10_000, 4, window=16).nbytes == 2 * 32 * 4 * 4
    assert KVCache(1, 1, 1, 20, 4, window=16).nbytes == 2 * 20 * 4 * 4


def test_what_does_not_fit_is_said():
    cache = KVCache(2, 2, 2, 4, 3)
    with pytest.raises(CacheFullError, match="0 tokens and 5 new ones are more than its capacity of 4"):
        cache.update(0, drawn(0, 1, 2, 5, 3), drawn(0, 1, 2, 5, 3))
    with pytest.raises(CacheFullError, match="3 texts, but it was made for 2; pass batch=3"):
        cache.update(0, drawn(0, 3, 2, 1, 3), drawn(0, 3, 2, 1, 3))
    with pytest.raises(ShapeError, match=r"keys \(1, 4, 1, 3\)"):
        cache.update(0, drawn(0, 1, 4, 1, 3), drawn(0, 1, 4, 1, 3))
    with pytest.raises(ShapeError, match=r"values \(1, 2, 1, 4\)"):
        cache.update(0, drawn(0, 1, 2, 1, 3), drawn(0, 1, 2, 1, 4))
    with pytest.raises(ArgumentError, match="layer 2, but it was made for layers 0 to 1"):
        cache.update(2, drawn(0, 1, 2, 1, 3), drawn(0, 1, 2, 1, 3))
    cache.update(0, drawn(0, 1, 2, 1, 3), drawn(0, 1, 2, 1, 3))
    with pytest.raises(ShapeError, match="with N = 1 since the first"):
        cache.update(1, drawn(0, 2, 2, 1, 3), drawn(0, 2, 2, 1, 3))
    assert issubclass(CacheFullError, TTError)


@pytest.mark.parametrize("name", ["layers", "batch", "heads", "capacity", "head_dim", "window"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "2"])
def test_sizes_are_checked(name, value):
    sizes = {"layers": 1, "batch": 1, "heads": 1, "capacity": 1, "head_dim": 1} | {name: value}
    with pytest.raises(ArgumentError, match=f"{name} must be a whole number from 1 up"):
        KVCache(**sizes)


def test_its_dtype_is_a_floating_one():
    with pytest.raises(DTypeError, match="int64"):
        KVCache(1, 1, 1, 1, 1, np.int64)


def test_a_model_without_a_config_is_refused():
    with pytest.raises(ArgumentError, match="object has no config"):
        KVCache.for_model(object())


# --- with models ----------------------------------------------------------------------------------------------


def gpt(tt_text):
    return tt_text.GPT(tt_text.GPTConfig(VOCAB, CONTEXT, 2, 2, 16))


def llama(tt_text, window=None):
    return tt_text.Llama(
        tt_text.LlamaConfig(
            vocab_size=VOCAB, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=CONTEXT, sliding_window=window,
        )
    )  # fmt: skip


MODELS = {
    "gpt": gpt,
    "llama": llama,
    "llama, window 5": lambda tt_text: llama(tt_text, 5),
    "llama, window 1": lambda tt_text: llama(tt_text, 1),
}


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    tt_text = pytest.importorskip(
        "tt_text", reason="language models come with tt-text: pip install 'tt-perf[compete]'"
    )
    made = MODELS[request.param](tt_text)
    rng = np.random.default_rng(0)
    for _, parameter in made.named_parameters():
        parameter.write(rng.normal(0, 0.3, parameter.shape))
    return made.eval()


@pytest.fixture(params=["numpy", "compiled"])
def kernels_in_use(request):
    if request.param == "compiled":
        pytest.importorskip("numba", reason="compiled kernels need numba")
        with tt_perf.accelerate(malloc=False):
            yield
    else:
        yield


@pytest.mark.parametrize("pieces", [(6,), (1,), (3, 4, 2), (30,)], ids=str)
def test_logits_are_those_without_a_cache(model, kernels_in_use, pieces):
    """Prefill in pieces, then one token at a time, at every position, for a batch."""
    tokens = np.random.default_rng(1).integers(0, VOCAB, (3, CONTEXT))
    expected = model(tokens).array
    cache = KVCache.for_model(model, batch=3)
    found, start = [], 0
    for t in (*pieces, *[1] * (CONTEXT - sum(pieces))):
        found.append(model(tokens[:, start : start + t], cache=cache).array)
        start += t
    assert cache.length == CONTEXT
    np.testing.assert_allclose(np.concatenate(found, axis=1), expected, rtol=2e-3, atol=2e-4)


def test_ragged_texts_are_what_they_are_alone(model, kernels_in_use):
    rng = np.random.default_rng(2)
    lengths = (2, 9, 5)
    texts = [rng.integers(0, VOCAB, length + 12) for length in lengths]
    width = max(lengths)
    padded, mask = np.zeros((3, width), np.int64), np.zeros((3, width), bool)
    for row, (text, length) in enumerate(zip(texts, lengths, strict=True)):
        padded[row, width - length :], mask[row, width - length :] = text[:length], True
    cache = KVCache.for_model(model, batch=3, capacity=width + 12)
    logits = [model(padded, attention_mask=mask, cache=cache).array[:, -1]]
    for step in range(12):
        mask = np.concatenate((mask, np.ones((3, 1), bool)), axis=1)
        new = np.array([[text[length + step]] for text, length in zip(texts, lengths, strict=True)])
        logits.append(model(new, attention_mask=mask, cache=cache).array[:, -1])
    for row, (text, length) in enumerate(zip(texts, lengths, strict=True)):
        alone = model(text[None]).array[0, length - 1 :]
        np.testing.assert_allclose(np.array(logits)[:, row], alone, rtol=2e-3, atol=2e-4)


def test_generation_writes_the_same(model, kernels_in_use):
    prompts = [[1, 2, 3], [4], [5, 6, 7, 8, 9]]
    cache = KVCache.for_model(model, batch=3)
    with_cache = model.generate(prompts, 20, temperature=0.0, cache=cache)
    assert with_cache == model.generate(prompts, 20, temperature=0.0, cache=False)
    cache.reset()
    assert with_cache == model.generate(prompts, 20, temperature=0.0, cache=cache)


def test_a_full_cache_is_said(model):
    with pytest.raises(CacheFullError, match="capacity of 8"):
        model.generate([1, 2, 3], 20, cache=KVCache.for_model(model, capacity=8))


def test_for_model_knows_the_sizes(model):
    cache = KVCache.for_model(model, batch=2)
    report = cache.report()
    assert (cache.layers, cache.batch, cache.capacity) == (2, 2, CONTEXT)
    groups, width = (2, 8) if hasattr(model.config, "n_embd") else (2, 4)
    assert report.bytes_per_token == 2 * 2 * groups * width * 4
    assert cache.window == getattr(model.config, "sliding_window", None)
