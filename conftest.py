"""TT_ACCELERATE=1 pytest ...: the same suite on compiled kernels (tt-perf[numba] must be installed)."""

import os


def pytest_configure():
    if os.environ.get("TT_ACCELERATE", "0") not in ("", "0"):
        import tt_perf

        if not tt_perf.accelerate().kernels:
            raise RuntimeError("TT_ACCELERATE is set, but numba is not installed: pip install 'tt-perf[numba]'")

        import hypothesis

        # A kernel is compiled, or loaded, in the first example that needs it.
        hypothesis.settings.register_profile("accelerated", deadline=None)
        hypothesis.settings.load_profile("accelerated")
