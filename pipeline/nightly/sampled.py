"""The map of a night of which a sample is drawn, wherever a home keeps its results.

In: a home, an AOI and a night. Out: a folder. A night in an object store is fetched into a passing one.
"""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from pipeline.errors import ConfigError
from pipeline.nightly.run import Home
from pipeline.publish import sending
from pipeline.publish.night import LATEST

_NEEDED = re.compile(r"seen(_\d+)?\.tif|alerts\.geojson|run\.json")
"""What `evaluate.sample` reads of a night."""


@contextmanager
def map_of(place: Home, aoi: str, night: date | None = None) -> Iterator[Path]:
    """The folder of a night's map, while the block runs.

    Args:
        place: the home.
        aoi: id of the AOI.
        night: None for the newest.

    Raises:
        ConfigError: the object store holds no such night.
        StateError: the object store does not answer.
        WriteError: the disk is full.
    """
    day = night.isoformat() if night else ""
    if place.out_bucket is None:
        yield place.out / (day or LATEST) / aoi
        return
    with tempfile.TemporaryDirectory() as passing:
        found = sending.fetch_night(place.out_bucket, aoi, day, _NEEDED, Path(passing))
        if found is None:
            which = f"published night of {day}" if day else "published night"
            raise ConfigError(f"{place.out_bucket}: no {which} of {aoi!r}; name an area of which one was run")
        yield found
