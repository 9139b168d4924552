"""No knob without an effect: a night reads every field of a profile and of a catalogue."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from pydantic import BaseModel

from pipeline import config, demo
from pipeline.ledger.verdicts import Verdict
from pipeline.nightly import run, verdicts
from pipeline.simulate import serve
from pipeline.watch import areas
from tests.nightly.planted import World


def fields(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        kind: Any = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from fields(kind)
        else:
            yield model.__name__, name


def dismiss_largest(place: run.Home, on: date) -> None:
    told = json.loads((place.out / "latest" / "planted-world" / "alerts.geojson").read_text())
    largest = max(told["features"], key=lambda feature: feature["properties"]["area_ha"])
    assert verdicts.say(place.ledger, (Verdict(largest["id"], "dismissed", "", "", on),)).added == 1


@pytest.mark.slow
def test_a_night_reads_every_knob(
    world: World, make_home: Callable[..., run.Home], local: run.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = make_home()
    seen: set[tuple[str, str]] = set()
    plain = config.Model.__getattribute__

    def watched(self: config.Model, name: str) -> Any:
        seen.add((type(self).__name__, name))
        return plain(self, name)

    monkeypatch.setattr(config.Model, "__getattribute__", watched)
    with serve.serve(world.items) as url:
        demo.point_to(place, url)
        run.over(place, world.nights[:1], replace(local, catalog=""))
        dismiss_largest(place, world.nights[0])
        run.over(place, world.nights[1:2], replace(local, catalog=""))
    areas.listing(place.folder)
    expected = {*fields(config.Profile), *fields(config.Catalog)}
    assert expected - seen == set()
