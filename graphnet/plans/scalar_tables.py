"""Tables that scalar functions read: 2/pi times powers of two, for sines and cosines of numbers of any size.

A number is m * 2**e with a whole m, and its entry is 2**e * 2/pi less a multiple of 4, so that m times the entry is the
angle in quarter turns, whole turns left out. An entry comes in parts of few bits, whose products with m, or with halves
of m, are exact, and a last part that is the rest. Tables begin with the numbers from 1/2: smaller ones are angles
as they are.
"""

from __future__ import annotations

from functools import cache

# Bits after the binary point of 2/pi.
_BITS = 1400


@cache
def _per_half_pi() -> int:
    """2/pi * 2**_BITS, by Machin's formula for pi."""
    extra = _BITS + 64

    def arctangent_of_inverse(n: int) -> int:
        term = (1 << extra) // n
        total, k, sign = 0, 1, 1
        while term:
            total += sign * (term // k)
            term //= n * n
            k, sign = k + 2, -sign
        return total

    pi = 4 * (4 * arctangent_of_inverse(5) - arctangent_of_inverse(239))
    return (2 << (extra + _BITS)) // pi


def _parts(exponent: int, widths: tuple[int, ...]) -> list[float]:
    """The entry for an exponent: parts that end `widths` bits after the one before, and the rest."""
    unit = 1 << _BITS
    scaled = _per_half_pi() << exponent if exponent >= 0 else _per_half_pi() >> -exponent
    left = (scaled + 2 * unit) % (4 * unit) - 2 * unit
    parts = []
    place = _BITS + 1
    for width in widths:
        place -= width
        part = (left + (1 << (place - 1))) >> place
        parts.append(part / (1 << (_BITS - place)))
        left -= part << place
    return [*parts, left / unit]


@cache
def tables() -> dict[str, tuple[float, ...]]:
    """Name -> entries, as scalar32 and scalar64 write them."""
    found = {}
    for width, digits, highest, widths in (("32", 23, 127, (28,)), ("64", 52, 1023, (26,) * 5)):
        columns = zip(*(_parts(exponent - digits, widths) for exponent in range(-1, highest + 1)), strict=True)
        for number, column in enumerate(columns):
            found[f"QUARTERS_{number}_{width}"] = column
    return found
