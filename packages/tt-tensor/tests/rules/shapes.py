from tt_tensor.ops import shapes
from tt_tensor.testing import Case, sample

CASES = {
    shapes.Reshape: [
        Case(f"{old} to {new}", lambda new=new: shapes.Reshape(new), (sample(old),))
        for old, new in [((), (1,)), ((6,), (2, 3))]
    ],
}
