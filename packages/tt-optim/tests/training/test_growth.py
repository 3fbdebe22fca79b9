"""10,000 steps with the collector off: nothing grows, and the graph of a step dies with it."""

import gc
import weakref

import tt_nn
import tt_optim
from tt_optim.training import Accuracy, Callback, Trainer
from tt_tensor import Tensor, tensor


def test_ten_thousand_steps_leave_nothing_behind():
    counts, losses = [], []

    class Count(Callback):
        def on_step_end(self, trainer):
            if trainer.step in (1000, 11_000):
                objects = gc.get_objects()
                counts.append((sum(issubclass(type(thing), Tensor) for thing in objects), len(objects)))

    def loss_fn(outputs, targets):
        loss = plain(outputs, targets)
        losses[:] = [weakref.ref(loss)]
        return loss

    model = tt_nn.Sequential(tt_nn.Linear(2, 8), tt_nn.Tanh(), tt_nn.Linear(8, 1))
    optimizer = tt_optim.Adam(model.parameters(), lr=0.01)
    plain = tt_nn.BCEWithLogitsLoss()
    trainer = Trainer(
        model,
        loss_fn,
        optimizer,
        scheduler=tt_optim.WarmupCosineLR(optimizer, 10, 11_000),
        metrics=[Accuracy()],
        clip_norm=1.0,
        ema=0.99,
        callbacks=[Count()],
        progress=False,
    )
    x, y = tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), tensor([[0.0], [1.0], [1.0], [0.0]])
    gc.collect()
    gc.disable()
    try:
        trainer.fit([(x, y)] * 11_000, epochs=1)
        assert losses[0]() is None
    finally:
        gc.enable()
    (tensors, objects), (later, more) = counts
    assert later == tensors
    assert more - objects <= 5  # the first entry of `counts` itself
