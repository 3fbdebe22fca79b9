"""What all tests of tt-perf share: this process compiles what they import, and no other beside it."""

from tt_perf.compiled import ahead

# Tests import kernels one file after the other and wait for nobody: what a second process compiled, both would compile.
ahead.begin = lambda modules: None
