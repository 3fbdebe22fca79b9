"""One random program: which kinds of step it takes, and how often."""

from . import drawing, viewing, writing
from .builder import Builder

PURE = (
    drawing.arithmetic, drawing.function, viewing.indexing, viewing.reshaping, drawing.reduction, drawing.product,
    viewing.reordering, drawing.joining, drawing.choice, drawing.along, drawing.arrangement, drawing.gathering,
    viewing.stretching, viewing.pieces, drawing.constant, drawing.arithmetic, drawing.function,
)  # fmt: skip
# With writes: views come more often, so that there is something behind what is written.
WRITING = (
    writing.write, viewing.indexing, drawing.arithmetic, writing.write, viewing.reshaping, viewing.pieces,
    writing.write, viewing.reordering, drawing.function, drawing.constant, drawing.product, drawing.reduction,
    drawing.joining, drawing.choice, drawing.arrangement, viewing.stretching, drawing.gathering, writing.write,
)  # fmt: skip


def draw(choose, namespace, array_of, portable, writes):
    """A program from the numbers that choose(n) gives; see Builder for the arguments."""
    b = Builder(choose, namespace, array_of, portable)
    for _ in range(1 + choose(2)):
        b.leaf(tuple([1 + choose(3) for _ in range(choose(4))]))
    kinds = WRITING if writes else PURE
    if writes:
        b.made("mul", b.pick(), b.number())
    for _ in range(2 + choose(15)):
        b.one_of(kinds)(b)
    return b.program()
