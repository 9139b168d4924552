"""The state of one AOI between nights, as plain values.

In: what `nights` reads, or what a night found. Out: the same. Knows no database.
"""

from dataclasses import dataclass, field
from datetime import date
from typing import Any


@dataclass(frozen=True, slots=True)
class Manifest:
    """The state of one AOI after a night."""

    as_of: date | None = None
    """The night; None before the first."""
    granules: tuple[str, ...] = ()
    """MGRS tiles that share the AOI out among them; kept, so that a place never changes hands."""
    ledger: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Scene id to what became of it: revision, used or refused and why, tiles whose read failed. Only scenes that the
    search of a night can meet again."""
    alerts: tuple[dict[str, Any], ...] = ()
    """Records of all alerts ever raised."""
    tiles: dict[str, str] = field(default_factory=dict)
    """Tile key to the file of its arrays."""
    clear_days: dict[str, dict[str, int]] = field(default_factory=dict)
    """Tile key to its pixels by scene day of their last clear look; an empty text for never."""
    standing: tuple[str, ...] = ()
    """Keys of the alarms after the night."""


BLIND, SILENT = "blind", "silent"
"""What alarms."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that somebody should look into, for as long as it stands."""

    what: str
    """`BLIND` or `SILENT`."""
    of: str
    """MGRS tile of which no catalogue lists scenes; empty: the AOI as a whole."""
    days: int
    """So long already."""
    allowed: int
    """So long the profile allows."""
    text: str
    """For people, with the AOI."""

    @property
    def key(self) -> str:
        """The same night after night, as long as it stands."""
        return f"{self.what} {self.of}".strip()


@dataclass(frozen=True, slots=True)
class News:
    """One thing that happened to an AOI in a night, worth telling once."""

    what: str
    """`new`, `confirmed`; `blind` and `silent` for the beginning of an alarm, `seen` and `heard` for its end."""
    of: str
    """The alert's id, or the night, with the MGRS tile of a silent catalogue."""
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Owed:
    """News that an address is to be told."""

    group: str
    address: str
    news: News


@dataclass(frozen=True, slots=True)
class Outlook:
    """How well an AOI is seen."""

    blind_pct: float | None = None
    """Share of the AOI without a clear look for longer than its profile allows."""
    clear_on: date | None = None
    """The last day on or since which half of the AOI has had a clear look; None if there is none."""
    blind_days: int | None = None
    """Days since then, or since the first night."""
    why_blind: dict[str, int] = field(default_factory=dict)
    """What became of the overpasses since then: reason to number."""
    newest_scene: date | None = None
    """Solar day of the newest scene that any catalogue has listed."""
    alarms: tuple[Alarm, ...] = ()
    """What somebody should look into."""


@dataclass(frozen=True, slots=True)
class Done:
    """A night to be committed: the new state, and what is written beside it."""

    after: Manifest
    attempt: int = 1
    catalog: str = ""
    catalog_problems: tuple[str, ...] = ()
    """What went wrong with the catalogues, though one answered: those that did not, items that are of no use, gaps."""
    history: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Entries of scenes that were considered only for the normal."""
    looks: tuple[tuple[str, str, dict[str, int]], ...] = ()
    """Scene id, tile key, pixels by reason."""
    failed: tuple[str, ...] = ()
    outlook: Outlook = Outlook()
    owed: tuple[Owed, ...] = ()
    """What is to be told once the night is committed."""
