"""The QGIS project: what it shows can be told apart, also by people who see colours differently."""

import itertools
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

SIGHT = {
    "all colours": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
}
"""Linear RGB as it is seen. Source: Machado, Oliveira and Fernandes (2009), severity 1."""
XYZ = [[0.4339, 0.3762, 0.1899], [0.2126, 0.7152, 0.0722], [0.0177, 0.1095, 0.8728]]
"""Of linear RGB, as shares of white."""


def lab(colour: str, sight: list[list[float]]) -> NDArray[np.float64]:
    """CIELAB of `#rrggbb`, as it is seen."""
    values = np.array([int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)])
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    x, y, z = np.cbrt(np.array(XYZ) @ np.clip(np.array(sight) @ linear, 0, 1))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("sight", SIGHT.values(), ids=SIGHT)
def test_days_since_the_last_look_are_told_apart_by_colour(published: Path, sight: list[list[float]]) -> None:
    with zipfile.ZipFile(published / "vanwatch.qgz") as archive:
        text = archive.read("vanwatch.qgs").decode()
    (ramp,) = re.findall(r'colorRampType="DISCRETE".*?</colorrampshader>', text, re.DOTALL)
    seen = [lab(colour, sight) for colour in re.findall(r'color="(#[0-9a-f]{6})"', ramp)]
    assert len(seen) == 6
    assert min(float(np.linalg.norm(one - other)) for one, other in itertools.combinations(seen, 2)) > 20
