"""Stretches: all numbers of all arrays, each once, however they are cut."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tt_nn import shards
from tt_optim import stretches as module
from tt_optim.stretches import each_stretch, flat_view, stretches

sizes = st.lists(st.integers(0, 9), max_size=6)


@given(sizes, st.data())
def test_a_stretch_is_what_a_slice_of_the_whole_is(sizes, data):
    offsets = [0, *np.cumsum(sizes, dtype=int).tolist()]
    start = data.draw(st.integers(0, offsets[-1]))
    stop = data.draw(st.integers(start, offsets[-1]))
    labels = [(k, i) for k, size in enumerate(sizes) for i in range(size)]
    found = [(k, i) for k, low, high in stretches(offsets, start, stop) for i in range(low, high)]
    assert found == labels[start:stop]
    assert all(high > low for _, low, high in stretches(offsets, start, stop))


@given(sizes, st.integers(1, 3), st.integers(1, 5))
def test_every_number_is_worked_on_once_by_any_number_of_threads(sizes, threads, chunk):
    counts = [np.zeros(size, int) for size in sizes]
    before = module.WORTH, module.CHUNK
    module.WORTH, module.CHUNK = 2, chunk
    try:
        with shards.threads(threads):

            def work(k, low, high):
                assert high - low <= chunk
                counts[k][low:high] += 1

            each_stretch(work, sizes)
    finally:
        module.WORTH, module.CHUNK = before
    assert all((count == 1).all() for count in counts)


def test_a_flat_view_shows_the_array_or_nothing():
    x = np.arange(24.0).reshape(2, 3, 4)
    for array in (x, x.T, x[0], np.zeros((0, 3)), np.array(1.0)):
        view = flat_view(array)
        assert view.shape == (array.size,) and (not array.size or np.shares_memory(view, array))
    assert flat_view(x[:, ::2]) is None and flat_view(x.transpose(1, 0, 2)) is None
