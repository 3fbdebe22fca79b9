import numpy as np

from tt_tensor.ops import arithmetic
from tt_tensor.testing import Case, binary_cases, sample, unary_cases

# Bases of both signs, and 0 where the power is smooth there.
SIGNED = np.array([-2.0, -1.0, -0.5, 0.0, 0.5, 1.5])


def power_cases():
    """Exponents that are numbers (a float is checked for a gradient of its own, so its base is positive),
    broadcast exponents, negative bases, reflected powers."""
    make = arithmetic.Pow
    cases = binary_cases(make, low=0.3, high=2.5, low2=-2.0, high2=2.0)
    for exponent in (0, 1, 2, 3, 4, 5):
        cases.append(Case(f"signed ** {exponent}", make, (SIGNED, exponent)))
    for exponent in (-1, -2, -3):
        cases.append(Case(f"signed ** {exponent}", make, (SIGNED[SIGNED != 0], exponent)))
    for exponent in (0.5, -0.5, 1.5, -1.7, 0.0):
        cases.append(Case(f"positive ** {exponent}", make, (sample((2, 3), low=0.3), exponent)))
        cases.append(Case(f"() ** {exponent}", make, (sample((), low=0.3), exponent)))
        cases.append(Case(f"(0, 3) ** {exponent}", make, (sample((0, 3)), exponent)))
    for base in (2, 0.5, 3.0, 1):
        cases.append(Case(f"{base} ** (2, 3)", make, (base, sample((2, 3)))))
    cases += [
        Case("0 ** (3,)", make, (0, sample((3,), low=0.5))),
        Case("0 to the 2, as arrays", make, (np.zeros(3), np.array(2.0))),
        Case("integer exponents", make, (SIGNED, np.array([[3], [2], [1], [0]], np.int16))),
        Case("unsigned exponents", make, (SIGNED, np.array([[3], [0]], np.uint8))),
        Case("integer bases", make, (np.array([[1], [2], [5]], np.int16), sample((2,)))),
    ]
    return cases


def remainder_cases():
    """Away from the steps: x / y at least 0.05 from an integer."""
    make = arithmetic.Remainder
    quotients = [(-2, 3), (0, 1), (2, 1, 4), (3,), (), (0, 3), (2, 1), (1, 3), (5, 1), (2, 3, 2)]
    cases = []
    for seed, shape in enumerate(quotients):
        whole = np.random.default_rng(seed).integers(-3, 4, np.abs(shape) if shape else None)
        quotient = np.asarray(whole + sample(np.shape(whole), seed, 0.1, 0.9))
        for divisor in (1.5, -0.7, 1):
            cases.append(
                Case(f"{quotient.shape} % {divisor}", make, (np.asarray(quotient * divisor), divisor))
            )
        divisors = np.asarray(sample(quotient.shape, seed + 50, 0.5, 2.0))
        cases.append(Case(f"{quotient.shape} % array", make, (np.asarray(quotient * divisors), divisors)))
    x = np.array([[2.3], [-1.1], [0.4]])
    cases += [
        Case("x broadcast", make, (np.array(7.3), np.array([2.0, -3.0, 1.7]))),
        Case("y broadcast", make, (x, np.array([0.6, -0.9]))),
        Case("7.5 % y", make, (7.5, np.array([[2.0, -3.2]]))),
        Case("fortran", make, (np.asfortranarray(np.tile(x, 2)), 0.75)),
        Case("reversed", make, (x[::-1], np.array(0.75))),
    ]
    return cases


def floor_divide_cases():
    return [
        Case(case.name.replace("%", "//"), arithmetic.FloorDivide, case.inputs) for case in remainder_cases()
    ]


CASES = {
    arithmetic.Add: binary_cases(arithmetic.Add),
    arithmetic.Sub: binary_cases(arithmetic.Sub),
    arithmetic.Mul: binary_cases(arithmetic.Mul),
    arithmetic.Div: binary_cases(arithmetic.Div, low=0.5, high=3.0),
    arithmetic.Neg: unary_cases(arithmetic.Neg),
    arithmetic.Positive: unary_cases(arithmetic.Positive),
    arithmetic.Pow: power_cases(),
    arithmetic.FloorDivide: floor_divide_cases(),
    arithmetic.Remainder: remainder_cases(),
}
