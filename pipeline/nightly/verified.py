"""Verifying an alert wherever a home keeps its results.

In: a home and the id of an alert. Out: see `verify`. A pack in an object store is fetched into a passing folder.
"""

import tempfile
from dataclasses import replace
from datetime import date
from pathlib import Path

from pipeline.nightly import verify
from pipeline.nightly.run import Home
from pipeline.nightly.verify import Verification
from pipeline.publish import sending


def of_home(
    place: Home, alert_id: str, *, out: Path | None = None, night: date | None = None, model: str = ""
) -> Verification:
    """Rebuild an alert from its pack and compare.

    Args:
        place: the home.
        alert_id: the alert.
        out: folder of results that are not the home's own, of a replay.
        night: whose pack; None for the newest.
        model: folder of the model that was used, if it no longer is where the profile says.

    Raises:
        InputError: there is no such alert, or no pack of it.
        StateError: the object store does not answer.
    """
    if out or place.out_bucket is None:
        return verify.verify(out or place.out, alert_id, weights=place.weights, night=night, model=model)
    with tempfile.TemporaryDirectory() as passing:
        day = night.isoformat() if night else ""
        url = sending.fetch_pack(place.out_bucket, alert_id, day, Path(passing))
        found = verify.verify(Path(passing), alert_id, weights=place.weights, model=model)
    return replace(found, pack=url)
