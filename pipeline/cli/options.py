"""Options that commands share, and how results are printed."""

import json
from dataclasses import asdict, is_dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.errors import ConfigError

Home = Annotated[
    Path, typer.Option("--home", envvar="VANWATCH_HOME", help="Folder with aoi/, configs/, state/ and out/.")
]
Aoi = Annotated[
    list[str] | None, typer.Option("--aoi", help="Id in aoi/ or path of a GeoJSON file; may be given several times.")
]
Catalog = Annotated[
    str, typer.Option("--catalog", help="Name in configs/catalogs.toml, STAC API URL, or ItemCollection file.")
]
Scheduler = Annotated[str | None, typer.Option("--scheduler", help="Dask scheduler, like tcp://host:8786.")]
Workers = Annotated[
    int | None, typer.Option("--workers", min=0, help="Processes on this machine; 0: none. Default: one per core.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def on_disk(path: Path | None) -> Path | None:
    """A callback of options that name where to write; ConfigError where that is no place of a file system."""
    if path and path.parts[:1] == ("s3:",):
        raise ConfigError(f"--out {path}: lies in an object store; name a folder or file on this machine")
    return path


def as_date(text: str, option: str) -> date:
    """The date that an option gives; ConfigError if it is none."""
    try:
        return date.fromisoformat(text)
    except ValueError as err:
        raise ConfigError(f"{option} {text}: not a date like 2026-05-01") from err


def as_past_date(text: str, option: str) -> date:
    """The date that an option gives, not later than tomorrow (UTC): east of Greenwich the day begins earlier.

    Raises:
        ConfigError: it is none, or lies ahead.
    """
    day, today = as_date(text, option), datetime.now(UTC).date()
    if day > today + timedelta(days=1):
        raise ConfigError(
            f"{option} {text}: lies ahead, today is {today}; check the year, and the clock of this machine"
        )
    return day


def print_json(value: Any) -> None:
    """Print dataclasses, alone or in lists, as JSON."""
    print(json.dumps(_plain(value), indent=1, sort_keys=True, default=str))


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
