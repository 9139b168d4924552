"""Commands about single alerts: verify, and what analysts say of them."""

import getpass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli import options
from pipeline.errors import ConfigError

By = Annotated[str, typer.Option("--by", help="Who says it. Default: the name of the account.")]
On = Annotated[str, typer.Option("--on", help="When it was said, like 2026-05-01. Default: today (UTC).")]
Id = Annotated[str, typer.Argument(help="Id of the alert, like VW-6PLOMVNA.")]


def verify(
    alert_id: Id,
    home: options.Home = Path(),
    night: Annotated[str, typer.Option("--night", help="Whose pack. Default: the newest there is.")] = "",
    out: Annotated[Path | None, typer.Option("--out", help="Results of a replay. Default: those of the home.")] = None,
    model: Annotated[str, typer.Option(help="Folder of the model that was used, if it has moved.")] = "",
    as_json: options.Json = False,
) -> None:
    """Rebuild an alert from its evidence pack alone and compare: what agrees, and what differs.

    Example: vanwatch verify VW-6PLOMVNA --night 2026-05-01
    """
    from pipeline.nightly import run, verified

    day = options.as_date(night, "--night") if night else None
    place = run.home(home)
    found = verified.of_home(place, alert_id.strip().upper(), out=out, night=day, model=model)
    if as_json:
        options.print_json(found)
    else:
        print(f"{found.alert_id}, pack of {found.night} in {found.pack}")
        for finding in found.findings:
            word = {True: "agrees ", False: "DIFFERS", None: "note   "}[finding.agrees]
            print(f"  {word} {finding.what}: {finding.text}")
        print("all agrees" if found.exit_code == 0 else "something differs: do not rely on this pack")
    raise typer.Exit(found.exit_code)


def verdict(
    alert_id: Id,
    word: Annotated[str, typer.Argument(help="confirmed, dismissed or unsure.")],
    reason: Annotated[str, typer.Option("--reason", help="Why: shown to everyone as the alert's note.")],
    by: By = "",
    on: On = "",
    home: options.Home = Path(),
    as_json: options.Json = False,
) -> None:
    """Record what an analyst decided about an alert; it counts from the next night on.

    Example: vanwatch verdict VW-6PLOMVNA dismissed --reason "a quarry, licensed in 2024" --by asha
    """
    from pipeline.nightly import verdicts

    if not reason.strip():
        raise ConfigError("--reason: is empty; say in a few words why")
    row = {"alert_id": alert_id, "verdict": word, "reason": reason}
    said = verdicts.parsed(row, "verdict", verdicts.Defaults(_by(by), _on(on)))
    _record(home, (said,), as_json=as_json)


def import_(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="GeoPackage edited in QGIS, GeoJSON or CSV.")],
    by: By = "",
    on: On = "",
    home: options.Home = Path(),
    as_json: options.Json = False,
) -> None:
    """Record the verdicts of a file: layer alerts, fields alert_id, verdict, note or reason, verdict_by, verdict_on.

    Example: vanwatch verdicts import alerts.gpkg --by asha
    """
    from pipeline.nightly import verdicts

    said = verdicts.read(path, verdicts.Defaults(_by(by), _on(on)))
    _record(home, said, source=str(path), as_json=as_json)


def _record(home: Path, said: tuple[Any, ...], *, source: str = "", as_json: bool) -> None:
    from pipeline.nightly import run, verdicts

    place = run.home(home)
    result = verdicts.say(place.ledger, said, source=source, out=place.out)
    if as_json:
        options.print_json(result)
    else:
        known = f", {result.known} known already" if result.known else ""
        done = f"{result.added} recorded{known}; they count from the next night on"
        print(done if said else "nothing to record: no row has a verdict")


def _by(told: str) -> str:
    if told.strip():
        return told.strip()
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # an account without a name, as in some containers
        return ""


def _on(told: str) -> date:
    return options.as_past_date(told, "--on") if told else datetime.now(UTC).date()
