"""Without the extra `numba` no compiled kernel can be imported, and so neither can their tests and examples be."""

import importlib.util

collect_ignore_glob = (
    [] if importlib.util.find_spec("numba") else ["src/tt_perf/compiled/*", "tests/compiled/*"]
)
