"""figures.json: its fields, its strictness."""

from __future__ import annotations

import json
import math
import os
import platform
from pathlib import Path

import numpy as np
import pytest

from milestone_kit import Figure, Options
from milestone_kit.report import as_bytes, report


def test_the_report_has_every_field():
    options = Options(seed=3, out=Path("runs/toy"), quick=True, json=None, lr=math.inf, classes=(3, 6))
    figures = [Figure("cases", 4, "of 4", at_least=4), Figure("loss", math.nan)]
    found = json.loads(as_bytes(report("toy", 1958, options, figures, [Path("runs/toy/a.png")], 1.23456)))
    assert found == {
        "milestone": "toy",
        "year": 1958,
        "version": None,
        "seed": 3,
        "options": {
            "classes": [3, 6],
            "json": None,
            "lr": None,
            "out": "runs/toy",
            "quick": True,
            "seed": 3,
        },
        "figures": [
            {"name": "cases", "value": 4, "unit": "of 4", "at_least": 4, "at_most": None, "met": True},
            {"name": "loss", "value": None, "unit": "", "at_least": None, "at_most": None, "met": False},
        ],
        "met": False,
        "elapsed_seconds": 1.235,
        "machine": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "cpu_count": os.cpu_count(),
            "platform": platform.platform(),
        },
        "pictures": ["runs/toy/a.png"],
    }


def test_the_version_is_the_installed_one():
    assert report("kit", 1958, Options(seed=0), [], [], 0.0)["version"] == "0.1.0"


def test_nan_never_gets_through():
    with pytest.raises(ValueError, match="JSON"):
        as_bytes({"loss": math.nan})
