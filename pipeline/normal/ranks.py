"""Medians and other ranks over looks, pixel by pixel, with what is missing left out.

In and out: arrays. Knows no looks. Whole rows are compared at once, by sorting networks.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
_SIGN, _EXPONENT_STEP = np.uint32(1 << 31), np.uint32(1 << 23)  # of the bits of a float32


def robust(stack: Floats) -> tuple[Floats, Floats]:
    """Median and median absolute deviation over the first axis.

    Args:
        stack: (look, ...) float32; +inf is missing.

    Returns:
        (median, deviation), each (...) float32; NaN where all is missing. The same bits as `np.nanmedian`.
    """
    typical = middle(stack)
    with np.errstate(invalid="ignore"):
        apart = np.abs(stack - typical)  # inf stays inf, and NaN comes only where all is missing
    return typical, middle(apart)


def middle(stack: Floats) -> Floats:
    """Median over the first axis of what is there.

    What is missing stands in turn for more and for less than anything, so that the middle is at the same place for all
    pixels: no more is sorted than decides it, and nothing is looked up pixel by pixel.

    Args:
        stack: (look, ...) float32; +inf is missing.

    Returns:
        (...) float32; NaN where all is missing. The same bits as `np.nanmedian`.
    """
    rows, odd = _balanced(stack)
    spare = np.empty_like(rows[0])
    for first, second, smaller, larger in _selection(len(rows)):
        one, other = rows[first], rows[second]
        if smaller and larger:
            np.minimum(one, other, out=spare)
            np.maximum(one, other, out=other)
            rows[first], spare = spare, one
        elif smaller:
            np.minimum(one, other, out=one)
        else:
            np.maximum(one, other, out=other)
    upper = len(rows) // 2
    low, high = rows[max(0, upper - 1)], rows[upper]
    if len(rows) % 2:
        np.copyto(low, high, where=odd)
    else:
        np.copyto(high, low, where=odd)
    with np.errstate(invalid="ignore"):  # where all is missing, -inf and +inf meet
        halved: Floats = np.add(low, high)
    halved *= np.float32(0.5)
    if len(rows) == 1:
        halved[np.isinf(halved)] = np.nan
    return halved


def _balanced(stack: Floats) -> tuple[list[Floats], Bools]:
    """The values with what is missing as +inf and -inf in turn; and where an odd number is there.

    All of it is arithmetic on the bits of whole rows: adding one to the exponent of +inf carries into the sign.
    """
    rows = np.empty(stack.shape, np.uint32)
    missing, turned = np.empty(stack.shape[1:], np.uint32), np.empty(stack.shape[1:], np.uint32)
    turn = np.zeros(stack.shape[1:], np.uint32)  # the sign of the next that is missing
    for values, row in zip(stack, rows, strict=True):
        bits = values.view(np.uint32)
        np.add(bits, _EXPONENT_STEP, out=missing)
        missing ^= bits
        missing &= _SIGN
        np.bitwise_and(turn, missing, out=turned)
        np.bitwise_xor(bits, turned, out=row)
        turn ^= missing
    odd = turn.astype(np.bool_)
    return list(rows.view(np.float32)), ~odd if len(stack) % 2 else odd


def ranked(stack: Floats, position: NDArray[np.int64]) -> Floats:
    """(...) float32: the value at `position` (0 is the smallest) over the first axis."""
    return _pick(_ordered(stack), position)


def _pick(ordered: Floats, position: NDArray[np.int64]) -> Floats:
    picked: Floats = np.take_along_axis(ordered, np.clip(position, 0, len(ordered) - 1)[None], axis=0)[0]
    return picked


def _ordered(stack: Floats) -> Floats:
    """Sorted over the first axis by a sorting network: whole rows are compared at once, unlike in `np.sort`."""
    rows, spare = list(stack.copy()), np.empty(stack.shape[1:], stack.dtype)
    for first, second in _network(len(stack)):
        one, other = rows[first], rows[second]
        np.minimum(one, other, out=spare)
        np.maximum(one, other, out=other)
        rows[first], spare = spare, one
    return np.stack(rows)


@lru_cache(maxsize=64)
def _selection(size: int) -> tuple[tuple[int, int, bool, bool], ...]:
    """Of the network, what decides the two middle places: pairs, and whether their smaller and larger value count."""
    wanted, chosen = {max(0, size // 2 - 1), size // 2}, []
    for first, second in reversed(_network(size)):
        if first in wanted or second in wanted:
            chosen.append((first, second, first in wanted, second in wanted))
            wanted |= {first, second}
    return tuple(reversed(chosen))


@lru_cache(maxsize=64)
def _network(size: int) -> tuple[tuple[int, int], ...]:
    """Pairs to compare and exchange, in order: Batcher's odd-even merge sort (1968), doi:10.1145/1468075.1468121."""
    pairs = []
    span = 1
    while span < size:
        step = span
        while step >= 1:
            for start in range(step % span, size - step, 2 * step):
                for index in range(start, min(start + step, size - step)):
                    if index // (2 * span) == (index + step) // (2 * span):
                        pairs.append((index, index + step))
            step //= 2
        span *= 2
    return tuple(pairs)
