"""Bar 6: why there is no cascade.

In: the public pairs. Out: lines. See `screen` for what is measured.
"""

from collections.abc import Iterator

from benchmarks import bars, screen
from benchmarks.bars import Line


def lines(*, quick: bool) -> Iterator[Line]:
    """The best screen of each kind, and what all kinds together would need."""
    found = [block for each in screen.sets(every=4 if quick else 1).values() for block in each]
    bar = "3 x at 1 %, recall >= 0.995"
    if not found:
        yield bars.fact("6", "screen before the network", "not measured: no public pairs here", bar=bar)
        return
    best: dict[str, screen.Found] = {}
    for row in screen.judged(found):
        if row.kind not in best or row.let_through < best[row.kind].let_through:
            best[row.kind] = row
    for kind, row in best.items():
        value = f"lets {100 * row.let_through:.0f} % of blocks through; detections lie in {100 * row.needed:.0f} %"
        note = f"{row.screen} >= {row.limit:.3f}, blocks of {screen.BLOCK_PX} px, {row.detected_px} px detected"
        yield bars.fact("6", f"best screen that keeps 99.5 % of {kind} pixels", value, bar=bar, met=False, note=note)
    both = screen.together(found, best.values())
    value = f"{100 * both:.0f} % of blocks"
    yield bars.fact("6", "let through by the three together", value, bar=bar, met=False, note="so no cascade is used")
