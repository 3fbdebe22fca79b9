from tt_tensor.ops import trigonometry
from tt_tensor.testing import binary_cases, unary_cases

CASES = {
    trigonometry.Tan: unary_cases(trigonometry.Tan, -1.2, 1.2),
    trigonometry.Asin: unary_cases(trigonometry.Asin, -0.9, 0.9),
    trigonometry.Acos: unary_cases(trigonometry.Acos, -0.9, 0.9),
    trigonometry.Atan: unary_cases(trigonometry.Atan, -4.0, 4.0),
    trigonometry.Atan2: binary_cases(trigonometry.Atan2, low=-2.0, high=2.0, low2=0.3, high2=2.0)
    + binary_cases(trigonometry.Atan2, low=0.3, high=2.0, low2=-2.0, high2=2.0)[:6],
    trigonometry.Sinh: unary_cases(trigonometry.Sinh, -3.0, 3.0),
    trigonometry.Cosh: unary_cases(trigonometry.Cosh, -3.0, 3.0),
    trigonometry.Asinh: unary_cases(trigonometry.Asinh, -4.0, 4.0),
    trigonometry.Acosh: unary_cases(trigonometry.Acosh, 1.3, 4.0),
    trigonometry.Atanh: unary_cases(trigonometry.Atanh, -0.8, 0.8),
}
