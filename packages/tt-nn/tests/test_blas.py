"""The BLAS libraries: told by any thread, as they were found."""

import sys
import threading

import threadpoolctl

from tt_nn import blas


def told():
    """What threadpoolctl sees."""
    return [pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]


def test_they_are_those_that_threadpoolctl_finds():
    assert [library.number() for library in blas.libraries()] == told() != []


def test_any_thread_is_heard_and_each_sees_what_another_said():
    before = [library.number() for library in blas.libraries()]
    found = []

    def say(number):
        for library in blas.libraries():
            library.use(number)
        found.append(told())

    try:
        say(1)
        for number in (2, 1, 2):  # each from a thread of its own, while the first one lives
            thread = threading.Thread(target=say, args=(number,))
            thread.start()
            thread.join()
        assert found == [[number] * len(before) for number in (1, 2, 1, 2)]
    finally:
        for library, number in zip(blas.libraries(), before, strict=True):
            library.use(number)


def test_a_library_that_is_not_openblas_is_asked_through_threadpoolctl():
    class MKL:
        internal_api = "mkl"
        threads = 4

        def get_num_threads(self):
            return self.threads

        def set_num_threads(self, number):
            self.threads = number

    one = MKL()
    library = blas._library(one)
    library.use(3)
    assert library.number() == one.threads == 3


def test_nothing_is_kept_of_a_call():
    library = blas.libraries()[0]
    library.use(library.number())
    before = sys.getallocatedblocks()
    for _ in range(10_000):
        library.use(library.number())
    assert sys.getallocatedblocks() - before < 100
