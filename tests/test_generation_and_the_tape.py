"""Generation records nothing, though tt-text does not know tt-autograd; and recording goes on between two tokens."""

import numpy as np
import pytest

import tt_autograd as ta
from tt_tensor import Tensor, recorder
from tt_text import GPT, GPTConfig, beam_search, generate, stream


@pytest.fixture
def model():
    made = GPT(GPTConfig(11, 8, n_layer=1, n_head=2, n_embd=8))
    made.outputs = []
    made.register_forward_hook(lambda module, inputs, output: made.outputs.append(output))
    return made


def records(model):
    """Whether a forward is recorded now, up to the parameters."""
    return model(np.array([[1, 2]])).requires_grad and ta.is_grad_enabled()


@pytest.mark.parametrize("search", [generate, beam_search])
def test_nothing_is_recorded(model, search):
    search(model, [1, 2], 4)
    assert len(model.outputs) == 4
    assert not any(output.requires_grad for output in model.outputs)
    assert all(module._applied is None for module in model.modules())
    assert records(model)


def test_between_two_tokens_recording_goes_on(model):
    tokens = stream(model, [1, 2], 6)
    next(tokens)
    assert records(model)
    with ta.no_grad():
        next(tokens)
        assert not records(model)
    next(tokens)
    assert records(model)
    tokens.close()
    assert records(model)
    assert [output.requires_grad for output in model.outputs] == [
        False,
        True,
        False,
        False,
        False,
        True,
        True,
    ]


def test_an_error_inside_leaves_recording_on(model):
    def fail(module, inputs, output):
        raise KeyboardInterrupt

    handle = model.register_forward_hook(fail)
    for search in (generate, beam_search, lambda *given: list(stream(*given))):
        with pytest.raises(KeyboardInterrupt):
            search(model, [1, 2], 4)
        assert recorder.recording()
        assert model.training
    handle.remove()
    assert records(model)


def test_a_training_step_in_the_middle_of_a_stream(model):
    """Samples are shown as a model learns: what is drawn must not end up in the gradient."""
    tokens = stream(model, [1, 2], 4, temperature=0)
    wanted = None
    for _ in range(2):
        model.zero_grad()
        model.loss(np.array([[1, 2, 3]]), Tensor(np.array([[2, 3, 4]]))).backward()
        grads = [parameter.grad.numpy().copy() for parameter in model.parameters()]
        wanted = grads if wanted is None else wanted
        for got, first in zip(grads, wanted, strict=True):
            np.testing.assert_array_equal(got, first)
        next(tokens)
