"""Bar 6: why there is no cascade.

In: the public pairs, and real series in which nothing happened. Out: lines. See `screen` for what is measured.
"""

from collections.abc import Iterator

from benchmarks import bars, screen
from benchmarks.bars import Line
from benchmarks.screen import Seen
from pipeline import config

_BAR = "3 x at 1 %, recall >= 0.995"


def lines(*, quick: bool) -> Iterator[Line]:
    """The best screen of each kind, what all kinds together would need, and what they would spare on quiet ground."""
    pairs = sum(screen.sets(every=4 if quick else 1).values(), start=Seen((), ()))
    if not pairs.alerts:
        yield bars.fact("6", "screen before the network", "not measured: no public pairs here", bar=_BAR)
        return
    best = screen.best(pairs)
    for kind, row in best.items():
        value = f"lets {100 * row.let_through:.0f} % of blocks through"
        note = f"{row.screen} >= {row.limit:.3f}, blocks of {screen.BLOCK_PX} px, {row.alerts} alerts"
        yield bars.fact("6", f"best screen that keeps 99.5 % of {kind} alerts", value, bar=_BAR, met=False, note=note)
    both = screen.together(pairs.blocks, best.values())
    value = f"{100 * both:.0f} % of blocks; alerts lie on {100 * screen.needed(pairs.blocks):.0f} %"
    yield bars.fact("6", "let through by the three together", value, bar=_BAR, met=False, note="so no cascade is used")
    for side in (screen.BLOCK_PX, config.PATCH_PX):
        for name, found in screen.quiet(side=side, every=4 if quick else 1).items():
            yield _quiet(f"quiet ground, {name}, blocks of up to {side} px", pairs, found)


def _quiet(what: str, pairs: Seen, found: Seen) -> Line:
    """What the best screens for the pairs let through where nothing happened, and what no screen could do without."""
    through = screen.together(found.blocks, screen.best(pairs).values())
    value = (
        f"the three let {100 * through:.0f} % through; the network itself as a screen"
        f" {100 * screen.own(pairs, found.blocks):.0f} %; it draws alerts of one look on"
        f" {100 * screen.needed(found.blocks):.0f} %"
    )
    note = f"{len(found.blocks)} blocks of looks against the normal"
    return bars.fact("6", what, value, bar=_BAR, met=False, note=note)
