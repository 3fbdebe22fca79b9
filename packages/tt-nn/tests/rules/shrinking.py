from tt_nn import shrinking
from tt_nn.softmin import SoftminFunction
from tt_tensor.testing import unary_cases

CASES = {
    shrinking.SoftsignFunction: unary_cases(shrinking.SoftsignFunction),
    shrinking.TanhshrinkFunction: unary_cases(shrinking.TanhshrinkFunction),
    shrinking.HardshrinkFunction: unary_cases(lambda: shrinking.HardshrinkFunction(0.7)),
    shrinking.SoftshrinkFunction: unary_cases(lambda: shrinking.SoftshrinkFunction(0.7)),
    shrinking.ThresholdFunction: unary_cases(lambda: shrinking.ThresholdFunction(0.3, -2.0)),
    SoftminFunction: unary_cases(SoftminFunction, least_rank=1)
    + unary_cases(lambda: SoftminFunction(0), least_rank=1),
}
