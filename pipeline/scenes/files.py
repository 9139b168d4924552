"""Files: opens a raster and works on it, again and again until it works or has failed loudly.

In: hrefs. Out: headers and windows as they stand in the file. Refuses to know what is kept between reads.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

import rasterio
from numpy.typing import NDArray
from rasterio import windows
from rasterio.errors import RasterioError

from pipeline import config
from pipeline.errors import ReadError
from pipeline.grid import Window
from pipeline.scenes import handles, sign

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
"""In the environment: what files of an object store are read with."""
_STORES = ("s3://", "/vsis3/")
_GROUP_PX = 1024 * 1024  # strips are grouped up to this, so that a block is worth a request and a file
_SMALL_PX = 256  # smaller tiles are grouped up to this side
_GDAL: dict[str, str | int] = {
    "GDAL_CACHEMAX": 64_000_000,  # bytes; else 5 % of the machine's memory, for blocks that are read once
    "GDAL_HTTP_MULTIRANGE": "SERIAL",  # GDAL's retry does not cover its parallel ranges (D12)
    "GDAL_HTTP_MAX_RETRY": "2",
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".tif,.tiff,.TIF,.jp2",
    "GDAL_HTTP_CONNECTTIMEOUT": "20",
    "VSI_CACHE": "FALSE",  # nothing is read twice
    "GDAL_MAX_RAW_BLOCK_CACHE_SIZE": 64_000_000,  # bytes; beyond it blocks of one read are asked for one by one
    "GDAL_NUM_THREADS": "1",
}
T = TypeVar("T")
Clock = Callable[[], datetime]


class Count(Protocol):
    """Adds to named counters."""

    def __call__(self, **more: int) -> None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says about itself."""

    shape: tuple[int, int]
    """(y, x)."""
    transform: tuple[float, float, float, float, float, float]
    """Affine a to f."""
    crs: str
    """`EPSG:nnnnn`, or WKT where there is no code; empty if the file has none."""
    dtype: str
    nodata: float | None
    block: tuple[int, int]
    """(y, x): the unit that is fetched and kept; a multiple of the file's own blocks."""


def utc_now() -> datetime:
    """The current time: used for nothing but the end of tokens."""
    return datetime.now(UTC)


def attempt(
    href: str, signer: str, work: Callable[[Any], T], *, rules: config.Read, clock: Clock = utc_now, count: Count
) -> T:
    """Open a file and work on it, together and again: GDAL tells a passing fault as a broken file (D11).

    Args:
        href: unsigned URL, or a path.
        signer: how the href is signed, see `sign.sign`.
        work: gets the open dataset; must bear being called again.
        rules: number of attempts and the pauses between them.
        clock: the time by which tokens end.
        count: told of `opens`, `failed_attempts` and `failed_reads`.

    Raises:
        ReadError: no attempt worked, a local file does not exist, or nobody signs the href.
    """
    if not handles.far(href) and not Path(href).exists():
        count(failed_reads=1)
        raise ReadError(f"{href}: no such file; check the href in the catalogue")
    reason: Exception | None = None
    for number in range(rules.attempts):
        if number:
            time.sleep(rules.retry_delay_s * 2 ** (number - 1))
        # GDAL reports a 403 in mid-file as a broken file too, so the first failure always re-signs (D10)
        url = sign.sign(href, signer, now=clock(), renew=number == 1)
        try:
            with rasterio.Env(**_options(rules, again=number > 0)):
                return _once(url, work, fresh=number > 0, count=count)
        except RasterioError as err:
            reason = err
            count(failed_attempts=1)
    count(failed_reads=1)
    detail = sign.unsigned(f"{reason} {reason.__cause__ or ''}".strip()) if reason else ""
    message = f"{href}: not readable after {rules.attempts} attempts: {detail}; {_remedy(href)}"
    raise ReadError(message) from reason


def _remedy(href: str) -> str:
    """What to do about a file that cannot be read: in an object store it is the keys, most of all."""
    if not href.startswith(_STORES):
        return "check the file, or try later"
    absent = [name for name in KEYS if not os.environ.get(name)]
    told = f"{' and '.join(absent)} not set in the environment" if absent else f"check {' and '.join(KEYS)}"
    return f"{told}: give the keys of this store (docs/operating.md, Catalogues), or name another catalogue"


def _once(url: str, work: Callable[[Any], T], *, fresh: bool, count: Count) -> T:
    """One attempt, on a file that was left open where it need not be fresh."""
    key = handles.key_of(url)
    dataset = None if fresh else handles.taken(key)
    if dataset is None:
        count(opens=1)
        dataset = rasterio.open(url)
    try:
        found = work(dataset)
    except BaseException:
        dataset.close()
        raise
    if fresh:  # opened by other settings
        dataset.close()
    else:
        handles.left(key, dataset)
    return found


def _options(rules: config.Read, *, again: bool) -> dict[str, str | int]:
    """GDAL's settings for one attempt."""
    options = _GDAL | {"GDAL_HTTP_RETRY_DELAY": str(rules.retry_delay_s), "GDAL_HTTP_TIMEOUT": str(rules.timeout_s)}
    if again:  # GDAL remembers failures: without this, a second try fails without a request
        options["CPL_VSIL_CURL_NON_CACHED"] = "/vsicurl/:/vsis3/"
    return options


def read_header(dataset: Any) -> Header:
    """What an open dataset says about itself."""
    shape = (dataset.height, dataset.width)
    epsg = dataset.crs.to_epsg() if dataset.crs else None
    return Header(
        shape=shape,
        transform=tuple(dataset.transform)[:6],
        crs=f"EPSG:{epsg}" if epsg else (dataset.crs.to_wkt() if dataset.crs else ""),
        dtype=dataset.dtypes[0],
        nodata=dataset.nodata,
        block=_grouped(shape, dataset.block_shapes[0]),
    )


def _grouped(shape: tuple[int, int], block: tuple[int, int]) -> tuple[int, int]:
    """The unit to keep: the file's own tiles, or several strips or small tiles together."""
    height, width = block
    if width >= shape[1]:
        rows = max(height, _GROUP_PX // shape[1] // height * height)
        return min(rows, shape[0]), shape[1]
    return height * -(-_SMALL_PX // height), width * -(-_SMALL_PX // width)


def read_window(dataset: Any, window: Window) -> NDArray[Any]:
    """(y, x) digital numbers of a window in file pixels."""
    values: NDArray[Any] = dataset.read(1, window=windows.Window(window.col, window.row, window.width, window.height))
    return values
