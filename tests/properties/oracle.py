"""Each number of a comparison the slow and obvious way: exact sums of fractions, roots and logarithms of 60 digits.

Nothing here knows of blocks, strides, scales or shifts. The formulas are those of docs/numbers.md.
"""

from __future__ import annotations

import math
from decimal import Context, Decimal
from fractions import Fraction

from tests.properties.arrays import elements

_DIGITS = Context(prec=60, Emax=10**9, Emin=-(10**9))
# Below, ln(1 + x) is x to more digits than are kept.
_LINEAR = Decimal("1e-40")


def exact(array):
    """Return the real numbers that an array is made of as fractions: two in turn for each complex element."""
    told = []
    for one in elements(array):
        told += [Fraction(one.real), Fraction(one.imag)] if isinstance(one, complex) else [Fraction(one)]
    return told


def decimal(fraction):
    return _DIGITS.divide(Decimal(fraction.numerator), Decimal(fraction.denominator))


def root(fraction):
    return _DIGITS.sqrt(decimal(fraction))


def to_float(value):
    """Return a decimal as a float: infinite or zero where float64 ends."""
    return float(value)


def excess_db(difference, signal):
    """20·log10(1 + difference/signal) of two decimals."""
    if difference == 0:
        return 0.0
    if signal == 0:
        return math.inf
    ratio = _DIGITS.divide(difference, signal)
    natural = ratio if ratio < _LINEAR else _DIGITS.ln(_DIGITS.add(Decimal(1), ratio))
    return to_float(_DIGITS.multiply(natural, _DIGITS.divide(Decimal(20), _DIGITS.ln(Decimal(10)))))


def ratio_db(numerator, denominator):
    """10·log10 of a ratio of two squares; None of two zeros."""
    if numerator == denominator == 0:
        return None
    if numerator == 0 or denominator == 0:
        return -math.inf if numerator == 0 else math.inf
    return to_float(_DIGITS.multiply(Decimal(10), _DIGITS.log10(decimal(numerator / denominator))))


def squares(numbers):
    return sum((one * one for one in numbers), Fraction(0))


class Numbers:
    """All numbers of two finite arrays of one shape, at least one element."""

    def __init__(self, expected, actual):
        parts = 2 if "c" in (expected.dtype.kind, actual.dtype.kind) else 1
        self.e, self.a = (_in_parts(side, parts) for side in (expected, actual))
        self.size, self.count = expected.size, len(self.e)
        self.d = [a - e for e, a in zip(self.e, self.a, strict=True)]
        self.squares_e, self.squares_a, self.squares_d = (squares(side) for side in (self.e, self.a, self.d))
        # The squared modulus of each element's difference.
        self.moduli = [squares(self.d[place : place + parts]) for place in range(0, self.count, parts)]
        self.worst = max(self.moduli)

    @property
    def deviation_db(self):
        return excess_db(root(self.squares_d), root(min(self.squares_e, self.squares_a)))

    @property
    def peak_db(self):
        rms = root(min(self.squares_e, self.squares_a) / self.size)
        return excess_db(root(self.worst), rms)

    @property
    def mean_abs(self):
        """Mean |a − e|, of moduli."""
        return to_float(_DIGITS.divide(sum((root(one) for one in self.moduli), Decimal(0)), Decimal(self.size)))

    @property
    def max_abs(self):
        return to_float(root(self.worst))

    @property
    def snr_db(self):
        return math.inf if self.squares_d == 0 else ratio_db(self.squares_e, self.squares_d)

    @property
    def level_db(self):
        return ratio_db(self.squares_a, self.squares_e)

    @property
    def bias(self):
        return to_float(decimal(sum(self.d) / self.count))

    def side(self, numbers):
        """Return min, max, mean and standard deviation of one side."""
        mean = sum(numbers) / self.count
        spread = root(squares(one - mean for one in numbers) / self.count)
        return [to_float(decimal(one)) for one in (min(numbers), max(numbers), mean)] + [to_float(spread)]

    @property
    def fit(self):
        """Return gain, offset and correlation of the least-squares line; what a constant leaves undefined is None."""
        mean_e, mean_a = sum(self.e) / self.count, sum(self.a) / self.count
        e, a = [one - mean_e for one in self.e], [one - mean_a for one in self.a]
        power_e, power_a = squares(e), squares(a)
        if power_e == 0:
            return None, None, None
        if power_a == 0:
            return 0.0, to_float(decimal(mean_a)), None
        product = sum((x * y for x, y in zip(e, a, strict=True)), Fraction(0))
        gain = product / power_e
        correlation = _DIGITS.divide(decimal(product), _DIGITS.multiply(root(power_e), root(power_a)))
        return to_float(decimal(gain)), to_float(decimal(mean_a - gain * mean_e)), to_float(correlation)


def _in_parts(side, parts):
    numbers = exact(side)
    if parts == 2 and side.dtype.kind != "c":
        return [part for one in numbers for part in (one, Fraction(0))]
    return numbers
