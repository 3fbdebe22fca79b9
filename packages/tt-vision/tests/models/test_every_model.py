"""Laws of every model: any batch, the same answer in eval, a row by itself or among others, a summary, its repr."""

import functools

import numpy as np
import pytest

from tt_nn import summary
from tt_vision import models

# A way to build each, and the shape of one sample. What is large has narrow relatives here, and files of its own.
MODELS = {
    "mlp": (lambda: models.mlp(12, (5,), 4), (3, 2, 2)),
    "lenet5": (models.lenet5, (1, 28, 28)),
    "lenet5 of 1998": (lambda: models.lenet5(style="1998"), (1, 28, 28)),
    "cifar_cnn": (models.cifar_cnn, (3, 32, 32)),
    "resnet20": (models.resnet20, (3, 13, 12)),
    "resnet for large images": (lambda: models.ResNet((2, 2), (8, 12), 10), (3, 34, 33)),
    "resnet with projections": (lambda: models.ResNet((2, 1), (8, 12), 10, stem="cifar"), (3, 9, 8)),
}
each_model = pytest.mark.parametrize("name", MODELS)
built = functools.cache(lambda name: MODELS[name][0]())


def images(count, shape):
    return np.random.default_rng(0).normal(size=(count, *shape)).astype(np.float32)


@each_model
def test_a_batch_is_its_rows_in_eval(name):
    shape = MODELS[name][1]
    model, x = built(name).eval(), images(3, shape)
    before = {key: value.numpy().copy() for key, value in model.state_dict().items()}
    y = model(x).numpy()
    assert y.ndim == 2 and len(y) == 3 and y.dtype == np.float32
    np.testing.assert_array_equal(model(x).numpy(), y)
    for row in range(3):
        np.testing.assert_allclose(model(x[row : row + 1]).numpy(), y[row : row + 1], rtol=1e-4, atol=1e-4)
    assert len(model(x[:0])) == 0
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[key])


@each_model
def test_training_sees_every_parameter_that_is_not_frozen(name):
    shape = MODELS[name][1]
    model = built(name).train()
    y = model(images(2, shape))
    model.backward(np.random.default_rng(1).normal(size=y.shape).astype(np.float32))
    for key, parameter in model.named_parameters():
        seen = parameter.grad is not None and parameter.grad.numpy().any()
        assert seen == parameter.requires_grad, key


@each_model
def test_summary(name):
    shape = MODELS[name][1]
    model = built(name)
    found = summary(model, input_size=(2, *shape))
    assert found.parameters == sum(p.size for p in model.parameters())
    assert found.layers[0].output_shape == model.eval()(images(2, shape)).shape
    assert all(row.output_shape is not None for row in found.layers)
    assert f"{found.parameters:,}" in str(found)
    assert repr(model).startswith(type(model).__name__)


def test_models_begin_in_train_mode():
    assert all(module.training for module in models.resnet20().modules())


def test_builders_are_all_there_is():
    public = {name for name in models.__all__ if name.islower()}
    others = {"get_card", "list_cards", "load_pretrained", "save_pretrained", "whitening"}
    assert set(models.BUILDERS) == public - others
    assert all(name == builder.__name__ for name, builder in models.BUILDERS.items())
