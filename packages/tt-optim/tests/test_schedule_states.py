"""A schedule goes on from the state dict that PyTorch's saved: goldens/make_schedule_states.py wrote them."""

import json
from pathlib import Path

import numpy as np
import pytest

import tt_optim
from tt_tensor import Tensor

TABLE = json.loads((Path(__file__).with_name("goldens") / "schedule_states.json").read_text())


@pytest.mark.parametrize(
    "case", TABLE["cases"], ids=[f"{i} {c['name']}" for i, c in enumerate(TABLE["cases"])]
)
def test_it_goes_on_from_pytorchs_state(case):
    optimizer = tt_optim.SGD([Tensor([0.0, 0.0], requires_grad=True)], lr=0.1, momentum=0.9)
    schedule = getattr(tt_optim, case["name"])(optimizer, **case["arguments"])
    state = dict(case["state"])
    if (
        case["name"] == "MultiStepLR"
    ):  # JSON has made text of the steps, which are numbers in PyTorch's Counter
        state["milestones"] = {int(at): times for at, times in state["milestones"].items()}
    own = sorted(schedule.state_dict())
    schedule.load_state_dict(state)
    assert sorted(schedule.state_dict()) == own
    known = optimizer.param_groups[0]
    known.update({key: value for key, value in case["group"].items() if key in known})
    found = []
    for figure in TABLE["figures"]:
        schedule.step(*([figure] if case["name"] == "ReduceLROnPlateau" else []))
        found.append([known["lr"], known["momentum"]])
    np.testing.assert_allclose(found, case["after"], 1e-12)
