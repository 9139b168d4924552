"""The command that tells how a deployment stands."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli import options

if TYPE_CHECKING:
    from pipeline.nightly.status import AoiStatus

MOST = 5
"""So many tiles and lines are shown; --json has them all."""


def status(
    home: options.Home = Path(),
    aoi: options.Aoi = None,
    as_of: Annotated[str, typer.Option("--as-of", help="The day, like 2026-05-01. Default: today (UTC).")] = "",
    as_json: options.Json = False,
) -> None:
    """Last night, catalogues, freshness of the data, where we are blind and how long, failed parts, next overpasses.

    Exit code: 1 where some part of the last night failed, 3 where an area is blind or its catalogue silent for longer
    than its profile allows.

    Example: vanwatch status --home /srv/vanwatch
    """
    from pipeline.nightly import run
    from pipeline.nightly import status as standing

    day = options.as_date(as_of, "--as-of") if as_of else datetime.now(UTC).date()
    found = standing.read(run.home(home), day, tuple(aoi or ()))
    if as_json:
        options.print_json(found)
    else:
        for item in found.aois:
            print(item.aoi)
            for name, text in _lines(item):
                print(f"  {name:<14} {text}")
    raise typer.Exit(found.exit_code)


def _lines(item: "AoiStatus") -> list[tuple[str, str]]:
    lines = [("failed night", f"{night.as_of}: {night.error}") for night in item.failed_nights[-MOST:]]
    if item.last_night is None:
        return [*lines, ("last night", "none yet; run vanwatch nightly")]
    counts = ", ".join(f"{number} {status}" for status, number in (item.alerts or {}).items()) or "none"
    lines += [("last night", f"{item.last_night} ({item.catalog})"), ("alerts", counts)]
    lines += _most("catalogue", item.catalog_problems, "problems")
    fresh = f"{item.newest_scene}, {_days(item.fresh_days)} ago" if item.newest_scene else "none known"
    lines += [("newest scene", fresh), ("clear look", _seen(item))]
    if item.uncovered_km2:
        lines.append(("not covered", f"{item.uncovered_km2:.1f} km2: no catalogue lists a scene of this part of it"))
    for tile in item.blind_tiles[:MOST]:
        lines.append(("blind", f"tile {tile.tile} for {_days(tile.days)}"))
    if len(item.blind_tiles) > MOST:
        lines.append(("blind", f"and {len(item.blind_tiles) - MOST} tiles more"))
    if item.next_overpasses:
        ahead = item.next_overpasses[0]
        orbit = f" on orbit {ahead.relative_orbit}" if ahead.relative_orbit is not None else ""
        lines.append(("next overpass", f"{ahead.day}: {ahead.platform or 'a satellite'}{orbit} over {ahead.mgrs}"))
    lines += _most("failed", item.failed, "parts")
    return lines + [("ALARM", line) for line in item.alarms]


def _most(name: str, told: Sequence[str], what: str) -> list[tuple[str, str]]:
    """The first lines, and how many more there are."""
    more = [f"and {len(told) - MOST} {what} more"] if len(told) > MOST else []
    return [(name, line) for line in (*told[:MOST], *more)]


def _seen(item: "AoiStatus") -> str:
    since = f"of half of it on or since {item.clear_on}" if item.clear_on else "of less than half of it so far"
    why = ", ".join(f"{number} {reason}" for reason, number in (item.why_blind or {}).items())
    return f"{since} ({_days(item.blind_days)}{'; since then ' + why if why else ''}); {item.blind_pct:.1f} % blind"


def _days(number: int | None) -> str:
    return f"{number} day{'' if number == 1 else 's'}"
