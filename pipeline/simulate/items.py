"""STAC items of simulated scenes, in the form of Earth Search v1's `sentinel-2-l2a`.

In: facts of one product. Out: plain JSON-ready dictionaries. Knows no pixels and writes no files.

Every key is one that real items carry; the identifiers follow ESA's naming, with a mission time that does not exist in
the real archive.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import shapely
from affine import Affine
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from pipeline.grid import Granule
from pipeline.sensors import SENTINEL2

COLLECTION = "sentinel-2-l2a"

_EXTENSIONS = (
    "eo/v1.1.0", "grid/v1.1.0", "mgrs/v1.0.0", "processing/v1.1.0", "projection/v1.1.0", "raster/v1.1.0",
    "sentinel-2/v1.0.0", "view/v1.0.0",
)  # fmt: skip
_SCL_KEYS = {
    "nodata_pixel": 0, "saturated_defective_pixel": 1, "dark_features": 2, "cloud_shadow": 3, "vegetation": 4,
    "not_vegetated": 5, "water": 6, "unclassified": 7, "medium_proba_clouds": 8, "high_proba_clouds": 9,
    "thin_cirrus": 10, "snow_ice": 11,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Product:
    """What one item says."""

    granule: Granule
    sensed: datetime
    platform: str
    relative_orbit: int
    baseline: str
    sequence: int
    """Counts the items of one granule and day."""
    datastrip: int
    """0 or 1: which strip of the datatake."""
    processed_days: float
    """After the acquisition."""
    offset_applied: bool
    """What the catalogue says: the offset was taken out of the pixels."""
    sun: tuple[float, float]
    """(azimuth, elevation) in degrees."""
    classes: tuple[float, ...]
    """Percent of pixels of each SCL class, 0 to 11."""
    footprint: BaseGeometry
    """WGS84."""
    shape: tuple[int, int]
    """(y, x) of the 10 m files."""
    transform: Affine
    """Of the 10 m files."""

    @property
    def item_id(self) -> str:
        """Like `S2A_44QLH_20211025_0_L2A`."""
        return f"{self._mission}_{self.granule.mgrs}_{self.sensed:%Y%m%d}_{self.sequence}_L2A"

    @property
    def _mission(self) -> str:
        return f"S{self.platform.removeprefix('sentinel-').upper()}"


def item(product: Product, hrefs: dict[str, str]) -> dict[str, Any]:
    """One STAC item.

    Args:
        product: the facts.
        hrefs: band name (B02 ... B12, SCL) to where its file lies.
    """
    geometry = mapping(product.footprint)
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [f"https://stac-extensions.github.io/{name}/schema.json" for name in _EXTENSIONS],
        "id": product.item_id,
        "collection": COLLECTION,
        "geometry": geometry,
        "bbox": [round(side, 7) for side in product.footprint.bounds],
        "properties": {**_properties(product), **_product_names(product), **_percentages(product)},
        "links": [],
        "assets": {band.asset_keys[0]: _asset(product, band.name, hrefs[band.name]) for band in _bands()},
    }


def collection(items: list[dict[str, Any]]) -> dict[str, Any]:
    """The STAC collection document that a server needs beside the items."""
    bounds = shapely.total_bounds([shapely.box(*one["bbox"]) for one in items])
    moments = sorted(one["properties"]["datetime"] for one in items)
    return {
        "type": "Collection",
        "stac_version": "1.0.0",
        "id": COLLECTION,
        "title": "Simulated Sentinel-2 Level-2A",
        "description": "A planted world in the form of Sentinel-2 L2A. Nothing in it is real.",
        "license": "Apache-2.0",
        "extent": {
            "spatial": {"bbox": [[float(side) for side in bounds]]},
            "temporal": {"interval": [[moments[0], moments[-1]]]},
        },
        "links": [],
    }


def _bands() -> tuple[Any, ...]:
    return (*SENTINEL2.bands, SENTINEL2.classes)


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _properties(product: Product) -> dict[str, Any]:
    granule = product.granule
    processed = product.sensed + timedelta(days=product.processed_days)
    middle = product.footprint.centroid
    clouds = product.classes[8] + product.classes[9] + product.classes[10]
    observed = max(100 - product.classes[0], 1e-6)
    return {
        "datetime": _stamp(product.sensed + timedelta(seconds=511)),
        "created": _stamp(processed + timedelta(hours=1)),
        "updated": _stamp(processed + timedelta(hours=1)),
        "platform": product.platform,
        "constellation": "sentinel-2",
        "instruments": ["msi"],
        "eo:cloud_cover": round(100 * clouds / observed, 6),
        "proj:epsg": granule.epsg,
        "proj:centroid": {"lat": round(middle.y, 5), "lon": round(middle.x, 5)},
        "mgrs:utm_zone": int(granule.mgrs[:2]),
        "mgrs:latitude_band": granule.mgrs[2],
        "mgrs:grid_square": granule.mgrs[3:],
        "grid:code": f"MGRS-{granule.mgrs}",
        "view:sun_azimuth": round(product.sun[0], 6),
        "view:sun_elevation": round(product.sun[1], 6),
        "earthsearch:boa_offset_applied": product.offset_applied,
    }


def _product_names(product: Product) -> dict[str, Any]:
    mission, start = product._mission, product.sensed
    made = f"{start + timedelta(days=product.processed_days):%Y%m%dT%H%M%S}"
    short, tile = product.baseline.replace(".", ""), f"T{product.granule.mgrs}"
    absolute = 30000 + (start.toordinal() * 143 // 10) % 20000
    strip = start + timedelta(seconds=4 + 380 * product.datastrip)
    name = f"{mission}_MSIL2A_{start:%Y%m%dT%H%M%S}_N{short}_R{product.relative_orbit:03d}_{tile}_{made}.SAFE"
    return {
        "s2:sequence": str(product.sequence),
        "s2:processing_baseline": product.baseline,
        "s2:product_type": "S2MSI2A",
        "s2:product_uri": name,
        "s2:generation_time": _stamp(start + timedelta(days=product.processed_days)),
        "s2:datatake_id": f"G{mission}_{start:%Y%m%dT%H%M%S}_{absolute:06d}_N{product.baseline}",
        "s2:datatake_type": "INS-NOBS",
        "s2:datastrip_id": f"{mission}_OPER_MSI_L2A_DS_VGS4_{made}_S{strip:%Y%m%dT%H%M%S}_N{product.baseline}",
        "s2:tile_id": f"{mission}_OPER_MSI_L2A_TL_VGS4_{made}_A{absolute:06d}_{tile}_N{product.baseline}",
        "s2:reflectance_conversion_factor": 1.0,
    }


def _percentages(product: Product) -> dict[str, float]:
    return {f"s2:{name}_percentage": round(product.classes[code], 6) for name, code in _SCL_KEYS.items()}


def _asset(product: Product, name: str, href: str) -> dict[str, Any]:
    band = next(one for one in _bands() if one.name == name)
    step = band.resolution_m // 10
    old = product.transform
    place = [float(band.resolution_m), 0.0, old.c, 0.0, -float(band.resolution_m), old.f]
    raster: dict[str, Any] = {"nodata": 0, "data_type": "uint8", "spatial_resolution": band.resolution_m}
    asset: dict[str, Any] = {
        "href": href,
        "type": "image/tiff; application=geotiff; profile=cloud-optimized",
        "title": f"{band.common} - {band.resolution_m}m",
        "gsd": band.resolution_m,
        "proj:shape": [product.shape[0] // step, product.shape[1] // step],
        "proj:transform": place,
        "roles": ["data"],
    }
    if name != SENTINEL2.classes.name:
        # as the real catalogue does: it goes on naming the offset where the pixels no longer hold it
        shifted = float(product.baseline) >= 4
        raster |= {"data_type": "uint16", "scale": SENTINEL2.scale, "offset": -0.1 if shifted else 0.0}
        asset |= {"eo:bands": [{"name": name, "common_name": band.common}], "roles": ["data", "reflectance"]}
    return {**asset, "raster:bands": [raster]}
