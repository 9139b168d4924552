"""The command about who is told."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from pipeline.cli import options
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.nightly.telling import Sent


def notify(
    home: options.Home = Path(),
    to: Annotated[str, typer.Option("--to", help="One group, or GROUP/ADDRESS. Default: all.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be sent; send nothing.")] = False,
    test: Annotated[bool, typer.Option("--test", help="Send a message that only says that the address works.")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Also what a run sent that was cut off: it may come twice.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Send now what the groups of configs/notify.toml are still owed; a night does so by itself.

    Exit code: 1 where an address could not be told; it is tried again with the next night.

    Example: vanwatch notify --test --to forest-desk/mail
    """
    from pipeline.nightly import notify as by_hand
    from pipeline.nightly import run, telling

    if test and (dry_run or again):
        raise ConfigError("--test: goes with neither --dry-run nor --again; give one of them")
    place = run.home(home)
    groups = telling.groups_of(place.aois, place.configs)
    if not groups.groups:
        raise ConfigError(f"{place.configs / 'notify.toml'}: names no group; docs/notification.md shows how")
    if not dry_run:
        sent = by_hand.try_out(groups, only=to) if test else by_hand.send(place, groups, only=to, again=again)
        _print(sent, as_json=as_json)
    found = by_hand.drafts(place, groups, only=to)
    if as_json:
        options.print_json(found)
    else:
        print("\n".join(f"to {each.to}: {each.title}\n\n{each.text}" for each in found) or "nothing is owed")


def _print(sent: "tuple[Sent, ...]", *, as_json: bool) -> NoReturn:
    if as_json:
        options.print_json(sent)
    else:
        print("\n".join(line(each) for each in sent) or "nothing is owed")
    raise typer.Exit(1 if any(each.error for each in sent) else 0)


def line(each: "Sent") -> str:
    """What became of one message, in words."""
    return f"{each.to}: not told: {each.error}" if each.error else f"{each.to}: told {each.notices or ''}".rstrip()
