"""Styles: how QGIS shows each layer, by kind and status, and the form in which an analyst gives a verdict.

In: nothing but the table of columns. Out: QML as QGIS 3.22 and newer reads it. Knows no alerts and needs no QGIS.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

from pipeline.publish import texts
from pipeline.publish.blind import REASONS, UNCOVERED
from pipeline.publish.columns import COLUMNS, VERDICTS
from pipeline.publish.geopackage import ORDER
from pipeline.schema import Kind, Status

COLOURS = {"clearing": "#ffd21f", "camp": "#ff453a", "track": "#35d0ff"}
"""One colour per kind, in every map and page."""
_MARKS = {"clearing": "circle", "camp": "triangle", "track": "diamond"}
_GREY = "190,190,190,255"
_SHADE = "0,0,0,130"
_LABEL = """title("kind") || ' ' || min(99, round(100 * "confidence")) || ' %'"""
_NAME = """"alert_id" || ' ' || "status" || ' ' || "kind\""""
_SORT = '"priority"'
_WHO = """if(coalesce("verdict", '') = '', "verdict_by", coalesce(@user_full_name, @user_account_name))"""
_FOLDER = "[% regexp_replace(layer_property(@layer_id, 'path'), '/[^/]*$', '') %]"
"""Where the file lies that a layer is read from: chips lie in a folder beside it."""
_TABS = {
    "Verdict": ("alert_id", "kind", "status", "verdict", "note", "verdict_by", "verdict_on"),
    "Why": (
        *("confidence", "p_clearing", "p_camp", "p_track", "classical_z", "caution", "looks", "hits"),
        *("first_seen", "last_seen", "confirmed_on"),
    ),
    "Size and place": (
        "priority",
        "inside",
        "near",
        "area_ha",
        "length_m",
        "width_m",
        "grown_ha",
        "lon",
        "lat",
        "mgrs",
        "aoi",
    ),
    "Origin": ("lineage", "before_scenes", "after_scenes", "model"),
}
_HIDDEN = ("aoi", "before_scenes", "after_scenes", "model", "lineage", "mgrs")
_BLIND = {
    "cloud": "240,240,240,220",
    "no scene": "190,160,255,230",
    "failed read": "255,146,43,240",
    UNCOVERED: "150,120,255,255",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of a legend."""

    label: str
    filter: str
    geometry: Literal["fill", "line", "point"]
    colour: str
    width: float = 0.4
    dash: str = "solid"
    fill: str = ""
    casing: str = ""
    hatch: str = ""
    angle: int = 45
    opacity: float = 1.0
    mark: str = ""
    mark_size: float = 3.2
    hidden: bool = False
    """Not shown until the analyst ticks it."""


@dataclass(frozen=True, slots=True)
class Field:
    """One column in the form and in the table."""

    name: str
    index: int
    title: str
    widget: str = ""
    default: str = ""
    editable: bool = False
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Style:
    """How one vector layer is shown."""

    geometry: Literal["fill", "line", "point", ""]
    """Empty: of areas and lines."""
    rules: tuple[Rule, ...]
    columns: tuple[Field, ...] = ()
    label: str = ""
    date: str = ""
    """Column from which on a feature is shown by the temporal controller."""
    tip: str = ""
    name: str = ""
    sort: str = ""
    tabs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    verdicts: dict[str, str] = field(default_factory=lambda: dict(VERDICTS))


def layer_styles() -> dict[str, Style]:
    """The styles of the layers of a GeoPackage, by name."""
    return {
        "alerts": _alerts("fill", (Kind.CLEARING, Kind.CAMP), _fields(ORDER, first=1)),
        "tracks": _alerts("line", (Kind.TRACK,), _fields(ORDER, first=1)),
        "blind": _blind(),
        "aoi": Style("fill", (Rule("Area of interest", "", "fill", "255,255,255,255", 0.5, "dash", casing=_SHADE),)),
    }


def qml(style: Style) -> str:
    """The text of a `.qml` file."""
    return texts.render("style.qml", style=style)


def geojson_qml() -> str:
    """The style for a GeoJSON of alerts, whatever its shapes: QGIS takes it where it lies beside of the same name."""
    fields = _fields([column.name for column in COLUMNS], first=0)
    read_only = tuple(replace(item, editable=False, default="") for item in fields)
    areas = _alerts("fill", (Kind.CLEARING, Kind.CAMP), read_only, caution="array_to_string(\"caution\", ', ')")
    lines = _alerts("line", (Kind.TRACK,), ())
    return qml(replace(areas, geometry="", rules=(*areas.rules, *lines.rules)))


def _alerts(
    geometry: Literal["fill", "line"], kinds: tuple[Kind, ...], fields: tuple[Field, ...], *, caution: str = '"caution"'
) -> Style:
    rules = [_rule(kind, status, geometry) for status in (Status.CONFIRMED, Status.POSSIBLE) for kind in kinds]
    ended = ", ".join(f"'{status}'" for status in (Status.CLOSED, Status.EXPIRED, Status.DISMISSED))
    which = ", ".join(f"'{kind}'" for kind in kinds)
    over = Rule("Ended", f'"status" IN ({ended}) AND "kind" IN ({which})', geometry, _GREY, 0.3, "dot", hidden=True)
    tip = texts.render("tip.html", folder=_FOLDER, caution=caution)
    return Style(geometry, (*rules, over), fields, _LABEL, "first_seen", tip, _NAME, _SORT, dict(_TABS))


def _rule(kind: Kind, status: Status, geometry: Literal["fill", "line"]) -> Rule:
    """Confirmed ones strong, possible ones light."""
    sure = status == Status.CONFIRMED
    return Rule(
        label=f"{kind.value.capitalize()}, {status.value}",
        filter=f"\"kind\" = '{kind}' AND \"status\" = '{status}'",
        geometry=geometry,
        colour=rgba(COLOURS[kind], 255),
        width=(0.9 if geometry == "line" else 0.7) if sure else 0.4,
        dash="solid" if sure else "dash",
        fill=rgba(COLOURS[kind], 40) if sure and geometry == "fill" else "",
        casing=_SHADE if sure else "",
        opacity=1.0 if sure else 0.8,
        mark=_MARKS[kind],
        mark_size=3.4 if sure else 2.4,
    )


def _blind() -> Style:
    rules = [
        Rule(
            f"Blind: {name}",
            f"\"reason\" = '{name}'",
            "fill",
            colour,
            0.3,
            hatch=colour,
            angle=135 if name == UNCOVERED else 45,
        )
        for name, colour in _BLIND.items()
    ]
    others = ", ".join(f"'{name}'" for name in REASONS.values() if name not in _BLIND)
    rest = Rule("Blind: other reasons", f'"reason" IN ({others})', "fill", _GREY, 0.3, hatch=_GREY, angle=135)
    titles = {
        "reason": "Why the latest look saw nothing",
        "days": "Not seen for at least (days)",
        "area_km2": "Area (km2)",
    }
    fields = tuple(Field(name, index, title) for index, (name, title) in enumerate(titles.items(), start=1))
    since = """if("days" is null, 'never seen', 'not seen for ' || "days" || ' days or more')"""
    tip = f'<b>blind: [% "reason" %]</b><br>[% {since} %]'
    return Style("fill", (*rules, rest), fields, tip=tip, name='"reason"', sort='"area_km2"')


def _fields(names: tuple[str, ...] | list[str], *, first: int) -> tuple[Field, ...]:
    """The form's fields; `first` is the place of the first one in the file, after an id that QGIS adds."""
    known = {column.name: column for column in COLUMNS}
    return tuple(
        Field(
            name,
            index,
            known[name].title,
            widget=_widget(name, known[name].type),
            default=_WHO if name == "verdict_by" else "",
            editable=name in ("verdict", "note", "verdict_by"),
            hidden=name in _HIDDEN,
        )
        for index, name in enumerate(names, start=first)
    )


def _widget(name: str, kind: str) -> str:
    return (
        "ValueMap"
        if name == "verdict"
        else {"date": "DateTime", "int": "Range", "real": "TextEdit"}.get(kind, "TextEdit")
    )


def rgba(colour: str, alpha: int) -> str:
    """`#rrggbb` as QGIS writes colours."""
    return ",".join(str(int(colour[start : start + 2], 16)) for start in (1, 3, 5)) + f",{alpha}"
