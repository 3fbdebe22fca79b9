"""Every schedule gives PyTorch's learning rates: goldens/make_schedules.py wrote them."""

import copy
import json
import math
from pathlib import Path

import numpy as np
import pytest

import tt_optim
from tt_optim import lr_scheduler
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError

GOLDENS = Path(__file__).with_name("goldens") / "schedules.npz"
with np.load(GOLDENS, allow_pickle=False) as file:
    ARRAYS = {name: file[name] for name in file.files}
TABLE = json.loads(ARRAYS["table"].item())
CASES = list(enumerate(TABLE["cases"]))
LAMBDAS = {"power": lambda t: 0.95**t, "root": lambda t: 1 / math.sqrt(1 + t)}
each_case = pytest.mark.parametrize(
    ("number", "case"), CASES, ids=[f"{at}-{case[1][0]}" for at, case in CASES]
)


def optimizer_of(name="SGD"):
    options = {"momentum": 0.9} if name in ("SGD", "RMSprop") else {}
    groups = [{"params": [Tensor([0.0])]}, {"params": [Tensor([0.0])], "lr": 0.02}]
    return getattr(tt_optim, name)(groups, lr=0.1, **options)


def make(optimizer, schedule):
    name, options = schedule
    options = dict(options)
    if "lr_lambda" in options:
        wanted = options["lr_lambda"]
        options["lr_lambda"] = [LAMBDAS[w] for w in wanted] if isinstance(wanted, list) else LAMBDAS[wanted]
    if "schedulers" in options:
        options["schedulers"] = [make(optimizer, part) for part in options["schedulers"]]
    first = () if name == "ChainedScheduler" else (optimizer,)
    return getattr(lr_scheduler, name)(*first, **options)


def rates(optimizer):
    return [group["lr"] for group in optimizer.param_groups]


def row(optimizer):
    momenta = [g["betas"][0] if "betas" in g else g.get("momentum", 0.0) for g in optimizer.param_groups]
    return rates(optimizer) + momenta


@each_case
def test_learning_rates_are_pytorchs(number, case):
    optimizer = optimizer_of(case[0])
    scheduler = make(optimizer, case[1])
    rows = []
    for t in range(len(ARRAYS[f"lr{number}"])):
        assert scheduler.last_epoch == t
        assert scheduler.get_last_lr() == rates(optimizer)
        rows.append(row(optimizer))
        scheduler.step()
    np.testing.assert_allclose(np.array(rows), ARRAYS[f"lr{number}"], rtol=1e-12, atol=1e-17)


@each_case
@pytest.mark.parametrize("at", [0, 1, 11, 33])
def test_resumed_goes_on_to_the_bit(number, case, at):
    optimizer = optimizer_of(case[0])
    scheduler = make(optimizer, case[1])
    for _ in range(at):
        scheduler.step()
    saved = copy.deepcopy((optimizer.state_dict(), scheduler.state_dict()))
    other = optimizer_of(case[0])
    resumed = make(other, case[1])
    other.load_state_dict(saved[0])
    resumed.load_state_dict(saved[1])
    assert resumed.last_epoch == at
    for _ in range(25):
        scheduler.step()
        resumed.step()
        assert row(other) == row(optimizer)
        assert resumed.get_last_lr() == scheduler.get_last_lr()


def test_a_state_dict_holds_no_more_than_json_does():
    for _, (name, schedule) in CASES:
        json.dumps(make(optimizer_of(name), schedule).state_dict())


@pytest.mark.parametrize(("number", "options"), list(enumerate(TABLE["plateau"])))
def test_plateau_is_pytorchs(number, options):
    optimizer = optimizer_of()
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, **options)
    rows = []
    for at, value in enumerate(ARRAYS["told"]):
        scheduler.step(Tensor(value if options.get("mode", "min") == "min" else -value))
        rows.append(rates(optimizer))
        if at == 25:
            other = optimizer_of()
            other.load_state_dict(optimizer.state_dict())
            saved, (optimizer, old) = scheduler.state_dict(), (other, scheduler)
            scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, **options)
            scheduler.load_state_dict(saved)
            assert scheduler.best == old.best
    np.testing.assert_allclose(np.array(rows), ARRAYS[f"plateau{number}"], rtol=1e-12)
    assert scheduler.get_last_lr() == rates(optimizer)


@pytest.mark.parametrize(("warmup", "total", "low"), [(10, 50, 0.01), (0, 20, 0.0), (7, 8, 0.001)])
def test_warmup_cosine_is_the_formula(warmup, total, low):
    optimizer = optimizer_of()
    scheduler = lr_scheduler.WarmupCosineLR(optimizer, warmup, total, min_lr=low)
    for t in range(total + 20):
        for base, lr in zip((0.1, 0.02), rates(optimizer), strict=True):
            if t < warmup:
                expected = base * (t + 1) / (warmup + 1)
            elif t > total:
                expected = low
            else:
                expected = low + 0.5 * (1 + math.cos(math.pi * (t - warmup) / (total - warmup))) * (
                    base - low
                )
            assert lr == pytest.approx(expected, rel=1e-12, abs=1e-18)
        if t == warmup:
            assert rates(optimizer) == pytest.approx([0.1, 0.02], rel=1e-15)
        scheduler.step()


def test_a_schedule_within_a_schedule_keeps_its_own_time():
    optimizer = optimizer_of()
    inner = lr_scheduler.SequentialLR(
        optimizer,
        [lr_scheduler.ConstantLR(optimizer, 0.5, 100), lr_scheduler.ExponentialLR(optimizer, 0.5)],
        [2],
    )
    first = lr_scheduler.ConstantLR(optimizer, 0.1, 100)
    outer = lr_scheduler.SequentialLR(optimizer, [first, inner], [3])
    seen = []
    for _ in range(8):
        seen.append(rates(optimizer)[0])
        outer.step()
    assert seen == pytest.approx([0.01, 0.01, 0.01, 0.05, 0.05, 0.1, 0.05, 0.025])


def test_a_chain_within_a_sequence_starts_over():
    optimizer = optimizer_of()
    chain = lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(optimizer, 0.5, 2), lr_scheduler.ExponentialLR(optimizer, 0.9)]
    )
    outer = lr_scheduler.SequentialLR(optimizer, [lr_scheduler.ExponentialLR(optimizer, 0.1), chain], [2])
    seen = []
    for _ in range(5):
        seen.append(rates(optimizer)[0])
        outer.step()
    assert seen == pytest.approx([0.1, 0.01, 0.05, 0.045, 0.081])


def test_warm_restarts_can_be_placed():
    optimizer = optimizer_of()
    scheduler = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 4, T_mult=2)
    walked = optimizer_of()
    walker = lr_scheduler.CosineAnnealingWarmRestarts(walked, 4, T_mult=2)
    for t in range(40):
        scheduler.step(t)
        assert rates(optimizer) == pytest.approx(rates(walked), rel=1e-12)
        walker.step()
    scheduler.step(2.5)
    assert rates(optimizer)[0] == pytest.approx(0.05 * (1 + math.cos(math.pi * 2.5 / 4)))


def test_resuming_by_last_epoch_needs_the_first_learning_rate():
    optimizer = optimizer_of()
    with pytest.raises(ArgumentError, match=r"param_groups\[0\] has no \"initial_lr\""):
        lr_scheduler.StepLR(optimizer, 3, last_epoch=4)
    reference = lr_scheduler.StepLR(optimizer, 3)
    for _ in range(5):
        reference.step()
    resumed = lr_scheduler.StepLR(optimizer, 3, last_epoch=4)
    assert resumed.last_epoch == 5
    resumed.step()
    assert rates(optimizer) == pytest.approx([0.1 * 0.1**2, 0.02 * 0.1**2])


def test_a_changed_learning_rate_counts_from_the_next_step():
    optimizer = optimizer_of()
    scheduler = lr_scheduler.ExponentialLR(optimizer, 0.5)
    p = optimizer.param_groups[0]["params"][0]
    for expected in (-0.1, -0.15, -0.175):
        p.grad = [1.0]
        optimizer.param_groups[0]["momentum"] = 0.0
        optimizer.step()
        scheduler.step()
        assert p.item() == pytest.approx(expected)


S = lr_scheduler


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda o: S.StepLR("sgd", 3), DTypeError, "str is no Optimizer"),
        (lambda o: S.StepLR(o, 0), ArgumentError, "step_size must be an integer of at least 1"),
        (lambda o: S.StepLR(o, 2.5), ArgumentError, "step_size"),
        (lambda o: S.StepLR(o, 2, gamma="a"), DTypeError, "gamma must be a number"),
        (lambda o: S.StepLR(o, 2, last_epoch=-2), ArgumentError, "last_epoch"),
        (lambda o: S.MultiStepLR(o, 5), ArgumentError, "milestones must be a list"),
        (lambda o: S.MultiStepLR(o, [1, -1]), ArgumentError, r"milestones\[1\]"),
        (lambda o: S.ExponentialLR(o, math.nan), ArgumentError, "gamma must be finite"),
        (lambda o: S.ConstantLR(o, factor=1.5), ArgumentError, r"factor must be in \[0, 1\]"),
        (lambda o: S.ConstantLR(o, factor=0), ArgumentError, "factor must be greater than 0"),
        (lambda o: S.LinearLR(o, start_factor=0), ArgumentError, r"start_factor must be in \(0, 1\]"),
        (lambda o: S.LinearLR(o, end_factor=-1), ArgumentError, "end_factor"),
        (lambda o: S.LinearLR(o, total_iters=0), ArgumentError, "total_iters"),
        (lambda o: S.PolynomialLR(o, power=-1), ArgumentError, "power must be at least 0"),
        (lambda o: S.CosineAnnealingLR(o, 0), ArgumentError, "T_max"),
        (lambda o: S.CosineAnnealingWarmRestarts(o, -3), ArgumentError, "T_0"),
        (lambda o: S.CosineAnnealingWarmRestarts(o, 3, T_mult=0), ArgumentError, "T_mult"),
        (lambda o: S.CosineAnnealingWarmRestarts(o, 3).step(-1), ArgumentError, "epoch must be at least 0"),
        (lambda o: S.WarmupCosineLR(o, 10, 10), ArgumentError, "must be greater than warmup_steps"),
        (lambda o: S.WarmupCosineLR(o, -1, 10), ArgumentError, "warmup_steps"),
        (lambda o: S.WarmupCosineLR(o, 1, 10, min_lr=-1), ArgumentError, "min_lr"),
        (
            lambda o: S.MultiplicativeLR(o, [len]),
            ArgumentError,
            "MultiplicativeLR: 1 functions, but there are 2",
        ),
        (lambda o: S.CyclicLR(o, [0.1], 1.0), ArgumentError, "base_lr has 1 values, but there are 2"),
        (lambda o: S.CyclicLR(o, 0.1, -1.0), ArgumentError, "CyclicLR: max_lr"),
        (lambda o: S.CyclicLR(o, 0.1, 1.0, step_size_up=0), ArgumentError, "step_size_up"),
        (
            lambda o: S.CyclicLR(o, 0.1, 1.0, mode="square"),
            ArgumentError,
            "one of 'triangular', 'triangular2'",
        ),
        (lambda o: S.CyclicLR(o, 0.1, 1.0, max_momentum=2), ArgumentError, "max_momentum"),
        (lambda o: S.CyclicLR(optimizer_of("Adagrad"), 0.1, 1.0), ArgumentError, "cycle_momentum=False"),
        (lambda o: S.OneCycleLR(o, 0.1), ArgumentError, "give total_steps, or both"),
        (lambda o: S.OneCycleLR(o, 0.1, epochs=3), ArgumentError, "give total_steps, or both"),
        (lambda o: S.OneCycleLR(o, [0.1], 10), ArgumentError, "max_lr has 1 values, but there are 2"),
        (lambda o: S.OneCycleLR(o, 0.1, 10, pct_start=2), ArgumentError, "pct_start"),
        (lambda o: S.OneCycleLR(o, 0.1, 10, anneal_strategy="exp"), ArgumentError, "one of 'cos', 'linear'"),
        (lambda o: S.OneCycleLR(o, 0.1, 10, div_factor=0), ArgumentError, "div_factor"),
        (
            lambda o: S.OneCycleLR(optimizer_of("Adagrad"), 0.1, 10),
            ArgumentError,
            "neither momentum nor betas",
        ),
        (lambda o: S.LambdaLR(o, [lambda t: 1]), ArgumentError, "1 functions, but there are 2"),
        (lambda o: S.LambdaLR(o, 0.9), DTypeError, "must be a function of the step, not float"),
        (lambda o: S.ReduceLROnPlateau(o, mode="low"), ArgumentError, "mode must be one of"),
        (lambda o: S.ReduceLROnPlateau(o, factor=1.0), ArgumentError, "factor must be below 1"),
        (lambda o: S.ReduceLROnPlateau(o, patience=-1), ArgumentError, "patience"),
        (lambda o: S.ReduceLROnPlateau(o, min_lr=[0.1]), ArgumentError, "min_lr has 1 values"),
        (lambda o: S.ReduceLROnPlateau(o).step("low"), DTypeError, "metrics must be a number"),
        (lambda o: S.SequentialLR(o, [], []), ArgumentError, "at least one schedule"),
        (lambda o: S.SequentialLR(o, [S.StepLR(o, 1)], [3]), ArgumentError, "1 schedules need 0 milestones"),
        (lambda o: S.SequentialLR(o, [S.StepLR(o, 1)] * 3, [5, 3]), ArgumentError, "must ascend"),
        (lambda o: S.SequentialLR(o, [o], []), DTypeError, "schedule 0 is no LRScheduler"),
        (
            lambda o: S.SequentialLR(o, [S.ReduceLROnPlateau(o)], []),
            ArgumentError,
            "needs a figure at each step",
        ),
        (lambda o: S.ChainedScheduler([S.StepLR(optimizer_of(), 1)], o), ArgumentError, "another optimizer"),
        (lambda o: S.ChainedScheduler([]), ArgumentError, "at least one schedule"),
        (lambda o: S.StepLR(o, 1).load_state_dict([1]), DTypeError, "takes a dict"),
        (
            lambda o: S.StepLR(o, 1).load_state_dict(S.CosineAnnealingLR(o, 3).state_dict()),
            ArgumentError,
            r"missing \['gamma', 'step_size'\], unexpected \['T_max', 'eta_min'\]",
        ),
        (
            lambda o: S.StepLR(o, 1).load_state_dict(S.StepLR(o, 1).state_dict() | {"base_lrs": [0.1]}),
            ArgumentError,
            "base_lrs must be a list of 2",
        ),
    ],
)
def test_wrong_calls_get_typed_errors(wrong, error, message):
    with pytest.raises(error, match=message):
        wrong(optimizer_of())


def test_one_cycle_ends():
    optimizer = optimizer_of()
    scheduler = S.OneCycleLR(optimizer, 0.1, 5)
    for _ in range(5):
        scheduler.step()
    for _ in range(2):
        with pytest.raises(ArgumentError, match="step 6 is beyond the cycle of 5"):
            scheduler.step()


@pytest.mark.parametrize(
    "make",
    [
        lambda o: S.LambdaLR(o, lambda t: 0.5**t),
        lambda o: S.CosineAnnealingLR(o, 3),
        lambda o: S.CosineAnnealingWarmRestarts(o, 3),
        lambda o: S.WarmupCosineLR(o, 2, 9),
        lambda o: S.MultiplicativeLR(o, lambda t: 0.5),
        lambda o: S.CyclicLR(o, 0.1, 0.2, 3),
        lambda o: S.OneCycleLR(o, 0.1, 9),
        lambda o: S.SequentialLR(o, [S.StepLR(o, 2), S.LambdaLR(o, lambda t: 0.5**t)], [3]),
    ],
)
def test_a_group_that_was_added_after_the_schedule_is_refused_where_there_is_no_rate_for_it(make):
    optimizer = optimizer_of()
    scheduler = make(optimizer)
    optimizer.add_param_group({"params": [Tensor([0.0])]})
    states = []

    def go_on():
        for _ in range(5):
            states.append(str(scheduler.state_dict()))
            scheduler.step()

    with pytest.raises(ArgumentError, match="for 2 parameter groups, but by now the optimizer has 3"):
        go_on()
    if not isinstance(scheduler, lr_scheduler.SequentialLR):
        assert str(scheduler.state_dict()) == states[-1]


def test_a_base_schedule_says_what_is_missing():
    with pytest.raises(NotImplementedError, match="write its formula there"):
        S.LRScheduler(optimizer_of())


@pytest.mark.parametrize("total", [3, 5, 7, 10, 30])
def test_a_line_to_zero_never_falls_below_it(total):
    optimizer = optimizer_of()
    scheduler = S.LinearLR(optimizer, start_factor=0.1, end_factor=0.0, total_iters=total)
    for _ in range(2 * total):
        scheduler.step()
        assert scheduler.get_last_lr()[0] >= 0
    assert scheduler.get_last_lr()[0] < 1e-15
    optimizer.load_state_dict(optimizer.state_dict())


@pytest.mark.parametrize(("mode", "of"), [("cycle", lambda t: 1 + t // 4), ("iterations", lambda t: t)])
def test_a_cycle_takes_its_height_from_a_function(mode, of):
    optimizer = optimizer_of()
    scheduler = lr_scheduler.CyclicLR(
        optimizer, 0.1, 1.1, 2, scale_fn=lambda x: 1 / (1 + x), scale_mode=mode, cycle_momentum=False
    )
    for t in range(12):
        height = (0, 0.5, 1, 0.5)[t % 4] / (1 + of(t))
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1 + height)
        scheduler.step()
    assert "scale_fn" not in scheduler.state_dict()
    scheduler.load_state_dict(scheduler.state_dict())
    with pytest.raises(DTypeError, match="scale_fn must be a function"):
        lr_scheduler.CyclicLR(optimizer, 0.1, 1.1, scale_fn=0.5)
