"""A validator for STAC that needs no network: pystac's, with the schemas of the extensions beside this file."""

import json
from pathlib import Path

import pystac
from pystac.validation.stac_validator import JsonSchemaSTACValidator

SCHEMAS = Path(__file__).parent / "schemas"


def validator() -> JsonSchemaSTACValidator:
    made = JsonSchemaSTACValidator()
    for path in sorted(SCHEMAS.glob("*.json")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        made.schema_cache[schema["$id"].removesuffix("#")] = schema
    return made


def check(thing: pystac.STACObject) -> None:
    """Raise unless an item, a collection or a catalogue is valid, by its own and every extension's schema."""
    thing.validate(validator=validator())
