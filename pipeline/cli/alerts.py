"""Commands about single alerts: verify."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli import options

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
    from pipeline.nightly import run
    from pipeline.nightly import verify as packs

    day = options.as_date(night, "--night") if night else None
    place = run.home(home)
    found = packs.verify(out or place.out, alert_id, weights=place.weights, night=day, model=model)
    if as_json:
        options.print_json(found)
    else:
        print(f"{found.alert_id}, pack of {found.night} in {found.pack}")
        for finding in found.findings:
            word = {True: "agrees ", False: "DIFFERS", None: "note   "}[finding.agrees]
            print(f"  {word} {finding.what}: {finding.text}")
        print("all agrees" if found.exit_code == 0 else "something differs: do not rely on this pack")
    raise typer.Exit(found.exit_code)
