"""Verdicts about convexity, compared with functions whose convexity is known from a closed form."""

from __future__ import annotations

import numpy as np
import pytest

from runner.inspection.region import CANNOT_TELL, NONE_FOUND, NOT_CONVEX, RegionInspection, inspect_region
from tests.support.functions import Function, inspected, one

TRIES = 300


def inspect(function: Function, low: float, high: float, dimension: int = 1, seed: int = 0) -> RegionInspection:
    return inspect_region(inspected(function, dimension), low, high, TRIES, seed)


def quadratic(eigenvalues: list[float], seed: int = 1) -> Function:
    """Return xᵀQΛQᵀx/2 with a random orthogonal Q."""
    d = len(eigenvalues)
    basis = np.linalg.qr(np.random.Generator(np.random.PCG64(seed)).standard_normal((d, d)))[0]
    return lambda x: 0.5 * ((x @ basis) ** 2 * np.array(eigenvalues)).sum(axis=-1)


def as_64_bits(x):
    """Return real numbers of 64 bits, as objectives do that convert their arguments."""
    return np.real(x).astype(np.float64)


def norm2(x):
    """Return ‖x‖²."""
    return (x * x).sum(axis=-1)


def scattered(x):
    """Return reproducible noise between -1 and 1."""
    bits = as_64_bits(x).view(np.uint64)
    with np.errstate(over="ignore"):
        mixed = (bits ^ (bits >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0x94D049BB133111EB)
    return (mixed >> np.uint64(11)).astype(np.float64) / 2.0**52 - 1.0


SLOPES = np.linspace(-2.0, 3.0, 20)
PLANES = np.random.Generator(np.random.PCG64(3)).standard_normal((200, 6))
KNOTS = np.linspace(-1.0, 1.0, 41)
CONVEX = {
    "square": (one(lambda x: x**2), -3, 3),
    "fourth power": (one(lambda x: x**4), -2, 2),
    "tenth power": (one(lambda x: x**10), -1, 1),
    "exponential": (one(np.exp), -5, 5),
    "steep exponential": (one(lambda x: np.exp(20 * x)), -3, 3),
    "|x|": (one(np.abs), -1, 1),
    "|x| beside a kink": (one(lambda x: np.abs(x - 0.3)), -1, 1),
    "ramp": (one(lambda x: np.maximum(x, 0)), -1, 1),
    "three lines": (one(lambda x: np.maximum(np.maximum(-x, 0.1 * x), 2 * x - 1)), -2, 2),
    "minus logarithm": (one(lambda x: -np.log(x)), 0.01, 3),
    "minus root": (one(lambda x: -np.sqrt(x)), 0, 1),
    "reciprocal": (one(lambda x: 1 / x), 0.01, 1),
    "x log x": (one(lambda x: x * np.log(x)), 0.001, 2),
    "cosh": (one(np.cosh), -3, 3),
    "softplus": (one(lambda x: np.logaddexp(0, x)), -20, 20),
    "sin(x) + x²": (one(lambda x: np.sin(x) + x**2), -6, 6),
    "0.5 sin(2x) + x²": (one(lambda x: 0.5 * np.sin(2 * x) + x**2), -6, 6),
    "2 sin(x) + x²": (one(lambda x: 2 * np.sin(x) + x**2), -6, 6),
    "Huber": (one(lambda x: np.where(np.abs(x) < 1, 0.5 * x**2, np.abs(x) - 0.5)), -3, 3),
    "rounded |x|": (one(lambda x: np.sqrt(x**2 + 1e-10)), -1, 1),
    "norm in 3-D": (lambda x: np.sqrt(norm2(x)), -1, 1, 3),
    "sum of |x| in 20-D": (lambda x: np.abs(x).sum(axis=-1), -1, 1, 20),
    "largest coordinate in 10-D": (lambda x: x.max(axis=-1), -1, 1, 10),
    "log-sum-exp in 5-D": (lambda x: np.log(np.exp(x).sum(axis=-1)), -3, 3, 5),
    "quadratic in 6-D": (quadratic([1e-3, 1, 2, 3, 4, 5]), -3, 3, 6),
    "singular quadratic in 6-D": (quadratic([0, 0, 1, 2, 3, 4]), -3, 3, 6),
    "quadratic in 100-D": (quadratic(list(np.geomspace(1e-3, 1, 100))), -1, 1, 100),
    "ridge in 30-D": (lambda x: (x.sum(axis=-1) - 1) ** 2, -1, 1, 30),
    "logistic loss in 8-D": (lambda x: np.logaddexp(0, -(x @ np.vander(SLOPES / 3, 8).T)).sum(axis=-1), -3, 3, 8),
    "square over linear": (lambda x: x[..., 0] ** 2 / x[..., 1], 0.1, 2, 2),
    "huge square": (one(lambda x: 1e300 * x**2), -3, 3),
    "tiny square": (one(lambda x: 1e-300 * x**2), -3, 3),
    "square of tiny numbers": (one(lambda x: x**2), -1e-150, 1e-150),
    "square of huge numbers": (one(lambda x: x**2), -1e150, 1e150),
    "|x| of huge numbers": (one(np.abs), -1e200, 1e200),
    "|x| of tiny numbers": (one(np.abs), -1e-200, 1e-200),
    "overflow at the ends": (one(lambda x: np.exp(x**2)), -30, 30),
    "barrier": (lambda x: -np.log(1 - norm2(x)), -1, 1, 2),
    "naive softplus, overflowing": (one(lambda x: np.log(1 + np.exp(x))), -800, 800),
    "largest of 200 planes": (lambda x: (x @ PLANES[:, 1:].T + PLANES[:, 0]).max(axis=-1), -1, 1, 5),
    "norm from a corner": (lambda x: np.sqrt(norm2(x - 1)), -1, 1, 3),
    "interpolated square": (one(lambda x: np.interp(np.real(x), KNOTS, KNOTS**2)), -1, 1),
    "subnormal square": (one(lambda x: 1e-318 * x**2), -30, 30),
    "|x| to the power 1.5": (one(lambda x: np.abs(x) ** 1.5), -1, 1),
    "square above a floor": (one(lambda x: np.maximum(x**2, 0.5)), -1, 1),
    "infinite outside": (one(lambda x: np.where(np.abs(x) <= 0.5, x**2, np.inf)), -1, 1),
    "square in 500-D": (norm2, -1, 1, 500),
    "fifth power of the square": (lambda x: norm2(x) ** 5, -1, 1, 8),
    "minus geometric mean": (lambda x: -np.exp(np.log(x).mean(axis=-1)), 0.01, 1, 4),
}
ROUNDED_CONVEX = {
    "exp(x) − 1 − x": (one(lambda x: np.exp(x) - 1 - x), -1e-3, 1e-3),
    "exp(x) − 1 − x, nearer": (one(lambda x: np.exp(x) - 1 - x), -1e-5, 1e-5),
    "exp(x) − 1 − x, at rounding": (one(lambda x: np.exp(x) - 1 - x), -1e-7, 1e-7),
    "cosh(x) − 1": (one(lambda x: np.cosh(x) - 1), -1e-4, 1e-4),
    "1 − cos(x)": (one(lambda x: 1 - np.cos(x)), -1e-4, 1e-4),
    "cancelled square, 1e4": (one(lambda x: (1e4 + x) ** 2 - 1e8 - 2e4 * x), -3, 3),
    "cancelled square, 1e6": (one(lambda x: (1e6 + x) ** 2 - 1e12 - 2e6 * x), -3, 3),
    "cancelled square, 1e8": (one(lambda x: (1e8 + x) ** 2 - 1e16 - 2e8 * x), -3, 3),
    "cancelled square, 1e12": (one(lambda x: (1e12 + x) ** 2 - 1e24 - 2e12 * x), -3, 3),
    "cancelled square in 5-D": (lambda x: ((1e5 + x) ** 2).sum(axis=-1) - 5e10 - 2e5 * x.sum(axis=-1), -1, 1, 5),
    "square with an offset": (one(lambda x: 1e12 + x**2), -1, 1),
    "square with an offset taken away": (one(lambda x: (1e13 + x**2) - 1e13), -1, 1),
    "staircase from rounding": (one(lambda x: (1e15 + x) - 1e15), -3, 3),
    "broad staircase from rounding": (one(lambda x: (1e16 + x) - 1e16), -30, 30),
    "expanded power": (one(lambda x: x**4 - 4 * x**3 + 6 * x**2 - 4 * x + 1), 0.99, 1.01),
    "expanded power, further": (one(lambda x: x**4 - 4 * x**3 + 6 * x**2 - 4 * x + 1), 0.9, 1.1),
    "expanded tenth power": (one(lambda x: np.polyval(np.poly(np.ones(10)), x)), 0.95, 1.05),
    "linear": (one(lambda x: 3 * x - 1), -3, 3),
    "linear, three terms": (one(lambda x: 0.1 * x + 0.2 * x - 0.3 * x + x), -3, 3),
    "linear with an offset": (one(lambda x: 1e-3 * x + 1e6), -3, 3),
    "linear, steep": (one(lambda x: 1e8 * (x - 1.0)), 0.999, 1.001),
    "linear in 50-D": (lambda x: x @ np.linspace(-1, 1, 50), -3, 3, 50),
    "difference in 2-D": (lambda x: x[..., 0] - x[..., 1], 1e6, 1e6 + 1, 2),
    "linear by way of exp": (one(lambda x: np.log(np.exp(x))), -10, 10),
    "|x| by way of a root": (one(lambda x: np.sqrt(x * x + 1e8) - 1e4), -1, 1),
    "constant": (one(lambda x: 5.0 + 0 * x), -3, 3),
    "constant one": (one(lambda x: np.sin(x) ** 2 + np.cos(x) ** 2), -3, 3),
    "zero": (one(lambda x: (x + 1) ** 2 - x**2 - 2 * x - 1), -3, 3),
    "32-bit square": (one(lambda x: (np.asarray(x, dtype=np.float32) ** 2).astype(np.float64)), -1, 1),
    "singular quadratic in 20-D": (quadratic([0.0] * 19 + [1.0]), -1, 1, 20),
    "two differences ill-scaled": (lambda x: (1e6 * (x[..., 0] - x[..., 1])) ** 2, -1, 1, 2),
    "variance in 4-D": (lambda x: (x**2).sum(axis=-1) / 4 - x.mean(axis=-1) ** 2, 1e4, 1e4 + 1, 4),
    "naive softplus": (one(lambda x: np.log(1 + np.exp(x))), -40, 40),
    "lost in an offset": (one(lambda x: (1e20 + x**2) - 1e20), -3, 3),
    "values a few ulps apart": (one(lambda x: x**2), 1e8, 1e8 + 1e-6),
    "root minus 1": (one(lambda x: np.sqrt(x**2 + 1) - 1), -1e-4, 1e-4),
    "x − log(1 + x)": (one(lambda x: x - np.log(1 + x)), -1e-6, 1e-6),
    "staircase in 64 bits": (one(lambda x: (1e15 + as_64_bits(x)) - 1e15), -3, 3),
    "concave stairs": (one(lambda x: 2 * ((1e12 + x) - 1e12) ** 2 - x**2), -3, 3),
    "concave stairs in 64 bits": (one(lambda x: 2 * ((1e12 + as_64_bits(x)) - 1e12) ** 2 - as_64_bits(x) ** 2), -3, 3),
    "(exp(x) − 1)/x": (one(lambda x: (np.exp(x) - 1) / np.where(x == 0, 1, x)), 1e-9, 1e-6),
    "eigenvalues from 1e-8 to 1e8": (quadratic([1e-8, 1e8]), -1, 1, 2),
    "steep ridge": (lambda x: (1e6 * x.sum(axis=-1)) ** 2, -1, 1, 12),
}
NOT = {
    "minus square": (one(lambda x: -(x**2)), -3, 3),
    "huge minus square": (one(lambda x: -1e300 * x**2), -3, 3),
    "tiny minus square": (one(lambda x: -1e-300 * x**2), -3, 3),
    "subnormal minus square": (one(lambda x: -1e-310 * x**2), -3, 3),
    "cube": (one(lambda x: x**3), -1, 1),
    "sine": (one(np.sin), -3, 3),
    "3 sin(x) + x²": (one(lambda x: 3 * np.sin(x) + x**2), -6, 6),
    "2.1 sin(x) + x²": (one(lambda x: 2.1 * np.sin(x) + x**2), -6, 6),
    "ripple": (one(lambda x: x**2 + 1e-6 * np.sin(1e4 * x)), -3, 3),
    "floor": (one(np.floor), -3, 3),
    "floor, wide": (one(np.floor), -1000, 1000),
    "sign": (one(np.sign), -1, 1),
    "minus |x|": (one(lambda x: -np.abs(x)), -1, 1),
    "minus |x| of huge numbers": (lambda x: -np.abs(x).sum(axis=-1), -1e200, 1e200, 3),
    "minus |x| of tiny numbers": (lambda x: -np.abs(x).sum(axis=-1), -1e-200, 1e-200, 3),
    "root of |x|": (one(lambda x: np.sqrt(np.abs(x))), -1, 1),
    "logarithm": (one(np.log), 0.1, 3),
    "reciprocal of |x|": (one(lambda x: 1 / np.abs(x)), -1, 1),
    "bell": (one(lambda x: -np.exp(-(x**2))), -5, 5),
    "hump": (one(lambda x: x**2 + 0.1 * np.exp(-1e4 * x**2)), -1, 1),
    "hump at the stated corner": (lambda x: norm2(x) + 0.5 * np.exp(-100 * norm2(x)), -1, 1, 2),
    "hump in 20-D": (lambda x: norm2(x) + np.exp(-10 * norm2(x)), -1, 1, 20),
    "one eigenvalue -1e-6 in 6-D": (quadratic([-1e-6, 1, 1, 2, 3, 4]), -3, 3, 6),
    "one eigenvalue -1e-9 in 6-D": (quadratic([-1e-9, 1, 1, 2, 3, 4]), -3, 3, 6),
    "one eigenvalue -1e-5 in 30-D": (quadratic([-1e-5, *np.linspace(1, 4, 29)]), -3, 3, 30),
    "product": (lambda x: x[..., 0] * x[..., 1], -1, 1, 2),
    "product of two of 50": (lambda x: 0.1 * norm2(x) + 3 * x[..., 7] * x[..., 31], -1, 1, 50),
    "smallest coordinate in 5-D": (lambda x: x.min(axis=-1), -1, 1, 5),
    "Rosenbrock": (lambda x: 100 * (x[..., 1] - x[..., 0] ** 2) ** 2 + (1 - x[..., 0]) ** 2, -2, 2, 2),
    "Rastrigin in 10-D": (lambda x: (x**2 - 10 * np.cos(2 * np.pi * x)).sum(axis=-1), -5, 5, 10),
    "negative in one corner": (lambda x: norm2(x) + np.minimum(2.5 - x[..., 0] - x[..., 1], 0) * 2, 0, 2, 2),
    "minus square with an offset": (one(lambda x: 1e6 - 1e-6 * x**2), -3, 3),
    "minus square beside a steep line": (one(lambda x: 1e3 * x - 1e-6 * x**2), -3, 3),
    "concave at the end": (one(lambda x: np.where(x > 2.9, 0.29 - (x - 2.9) ** 2, 0.1 * x)), -3, 3),
    "rounded to three digits": (one(lambda x: np.round(x**2, 3)), -1, 1),
    "one of 500 coordinates": (lambda x: norm2(x) - 3 * x[..., 417] ** 2, -1, 1, 500),
    "hump beside the centre": (one(lambda x: x**2 + 1e-2 * np.exp(-(((x - 0.37) / 0.02) ** 2))), -1, 1),
    "gutter in 40-D": (lambda x: norm2(x) - 1.05 * (x[..., 0] + x[..., 1]) ** 2, -1, 1, 40),
    "logarithm of the norm": (lambda x: np.log(1 + norm2(x)), -5, 5, 10),
    "network": (lambda x: np.maximum(x @ PLANES[:20, 1:].T, 0) @ PLANES[:20, 0], -1, 1, 5),
    "product of two of 130": (lambda x: 0.1 * norm2(x) + 3 * x[..., 7] * x[..., 31], -1, 1, 130),
    "one eigenvalue -1e-7 beside 1e3": (quadratic([-1e-7, 1, 1e3]), -1, 1, 3),
    "minus square up to the largest number": (one(lambda x: -1e307 * x**2), -3, 3),
    "cube of huge numbers": (one(lambda x: x**3), -1e100, 1e100),
    "sign in 20-D": (lambda x: np.sign(x[..., 0]), -1, 1, 20),
    "capped square": (lambda x: np.minimum(norm2(x), 1), -2, 2, 4),
    "lower of two bowls": (lambda x: np.minimum(norm2(x - 0.3), norm2(x + 0.3)), -1, 1, 6),
}
JUMPS_IN_64_BITS = {
    "number of coordinates that are not 0": (lambda x: (np.abs(x) > 0.5).sum(axis=-1).astype(np.float64), -1, 1, 3),
    "step": (one(lambda x: np.where(x > 0, 1.0, 0.0)), -1, 1),
    "floor in 64 bits": (one(lambda x: np.floor(as_64_bits(x))), -3, 3),
}
HIDDEN = {
    "cancelled minus square, 1e8": (one(lambda x: 1e16 + 2e8 * x - (1e8 + x) ** 2), -3, 3),
    "curvature within rounding": (one(lambda x: x - 1e-17 * x**2), -3, 3),
    "curvature within rounding in 2-D": (lambda x: norm2(x) - (1 + 1e-17) * x[..., 1] ** 2, -1, 1, 2),
    "noise": (one(lambda x: x**2 + 1e-3 * scattered(x)), -1, 1),
    "noise alone": (one(scattered), -1, 1),
    "noise of one half": (one(lambda x: x**2 + np.where(x > 0, 1e-3 * scattered(x), 0)), -1, 1),
}
WITHOUT_EXTENDED_PRECISION = {"ripple", "rounded to three digits"}
"""Functions that are not convex, but cannot be distinguished from rounding in 64-bit numbers."""
TRUTHS = {"convex": CONVEX | ROUNDED_CONVEX, "not convex": NOT, "jumps": JUMPS_IN_64_BITS, "hidden": HIDDEN}
SOUND = {
    "convex": {NONE_FOUND, CANNOT_TELL},
    "not convex": {NOT_CONVEX},
    "jumps": {NOT_CONVEX, CANNOT_TELL},
    "hidden": {NOT_CONVEX, NONE_FOUND, CANNOT_TELL},
}


def unsound(inspections: dict[str, RegionInspection], extended: bool) -> dict[str, str]:
    """Return the verdict of each function for which it is false, or open although extended precision decides."""
    found = {}
    for truth, cases in TRUTHS.items():
        for name in cases:
            sound = set(SOUND[truth])
            if not extended:
                sound |= {CANNOT_TELL} | ({NONE_FOUND} if name in WITHOUT_EXTENDED_PRECISION else set())
            if inspections[name].verdict not in sound:
                found[name] = inspections[name].verdict
    return found


def test_no_verdict_is_false_and_few_are_left_open():
    inspections = {name: inspect(*case) for cases in TRUTHS.values() for name, case in cases.items()}
    assert unsound(inspections, np.finfo(np.longdouble).eps < np.finfo(np.float64).eps) == {}

    left_open = {name: each.because for name, each in inspections.items() if each.verdict == CANNOT_TELL}
    assert len(left_open) <= 0.15 * len(inspections), left_open
    assert all("rounding" in because or "finite" in because for because in left_open.values())
    assert not set(left_open) & set(CONVEX), "a convex function far above rounding must not be left open"

    for name, each in inspections.items():
        chords = each.chords
        assert 0 <= chords.holes <= chords.unknown <= chords.tried, name
        assert 0 <= chords.jumps <= chords.checked <= chords.exceeded <= chords.tried, name
        assert (chords.worst is None) == (each.verdict != NOT_CONVEX), name


def test_no_verdict_is_false_on_machines_without_extended_precision(monkeypatch):
    monkeypatch.setattr("runner.analysis.chords.error_in_extended_precision", lambda *_: None)
    monkeypatch.setattr("runner.inspection.region._search_curvature", lambda *_: (None, None, "because it is not needed"))
    again = {name: inspect(*case) for cases in TRUTHS.values() for name, case in cases.items()}
    assert unsound(again, False) == {}


@pytest.mark.parametrize("seed", range(1, 4))
@pytest.mark.parametrize("name", ["exp(x) − 1 − x", "cancelled square, 1e4", "cancelled square, 1e8", "cancelled square, 1e12"])
def test_another_seed_refutes_no_convex_function(name: str, seed: int):
    assert inspect(*ROUNDED_CONVEX[name], seed=seed).verdict != NOT_CONVEX
