"""Print the coefficients of tt_perf.compiled.mathematics: fits in the largest weighted error, by Lawson's weights.

    python make_polynomials.py

Source: C. L. Lawson, "Contributions to the Theory of Linear Least Maximum Approximation", 1961.
"""

import math

import numpy as np

erf, erfc = np.vectorize(math.erf), np.vectorize(math.erfc)
ROOT_2 = math.sqrt(2)


def fit(x, target, weight, powers, rounds=400):
    """The coefficients c that make the largest |weight · (Σ c x^power - target)| least."""
    basis = np.stack([x**power for power in powers], 1)
    lawson, best = np.ones(len(x)), (math.inf, None)
    for _ in range(rounds):
        scale = np.sqrt(lawson) * weight
        c = np.linalg.lstsq(basis * scale[:, None], target * scale, rcond=None)[0]
        error = np.abs(weight * (basis @ c - target))
        best = min(best, (error.max(), c), key=lambda found: found[0])
        lawson = np.maximum(lawson * error / (lawson * error).max(), 1e-12)
    return best


def points(low, high, n=4000):
    """Chebyshev's, which crowd at the ends, where polynomials err most."""
    return low + (np.cos(np.pi * (np.arange(n) + 0.5) / n) + 1) / 2 * (high - low)


def main():
    r = points(-0.5 * math.log(2), 0.5 * math.log(2))
    fits = {"exp": fit(r, (np.expm1(r) - r) / r**2, r**2 * np.exp(-r), range(5))}
    f = points(math.sqrt(0.5) - 1, ROOT_2 - 1)
    f = f[np.abs(f) > 1e-3]
    fits["log"] = fit(f, (np.log1p(f) - f + f * f / 2) / f**3, np.abs(f**3 / np.log1p(f)), range(9))
    x = points(1e-3, 0.55)
    fits["tanh"] = fit(x * x, np.tanh(x) / x - 1, x / np.tanh(x), range(1, 6))
    x = points(1e-3, 1.0)
    fits["erf near"] = fit(x * x, erf(x) / x - 1, x / erf(x), range(7))
    x = points(0.9, 4.0)
    fits["erf far"] = fit(x, np.log(erfc(x)) / x + 1, x * erfc(x) / erf(x), range(6))
    a = points(1e-4, 14.5)
    density = np.exp(-a * a / 2)
    tail = 0.5 * erfc(a / ROOT_2) / density
    fits["normal"] = fit(0.32 * a / (1 + 0.32 * a), tail - 0.5, np.maximum(a, 1) * density, range(1, 6))
    for name, (error, c) in fits.items():
        print(f"{name}: error {error:.1e}", [float(np.float32(value)) for value in c])


if __name__ == "__main__":
    main()
