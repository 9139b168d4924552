"""Texts: files made from the templates beside this module.

In: the name of a template and values. Out: text, everything that comes from outside escaped. Knows no alerts.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2

_FOLDER = Path(__file__).with_name("templates")


def render(template: str, **values: Any) -> str:
    """Fill in a template of `templates/`; a value that it names and is not given is an error."""
    return _environment().get_template(template).render(**values)


def source(name: str) -> str:
    """A file of `templates/` as it stands."""
    return (_FOLDER / name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
