"""Chips: reflectance to true-colour pictures at one fixed stretch, so that any two of them can be compared.

In: arrays. Out: PNG bytes, the same for the same array. Knows no files.

The stretch: red, green and blue are B04, B03 and B02; reflectance 0 is black, 0.25 and more is full, and between them
the square root is taken, because forest lies near 0.04. Pixels without data are grey. Small chips are enlarged by a
whole number, so that their longer side has at least 256 pixels; no pixel is ever blended with its neighbour.

Source: PNG specification (ISO/IEC 15948), true colour, 8 bits, no filter.
"""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from pipeline.sensors import BANDS

STRETCH = "sqrt(reflectance / 0.25), B04 B03 B02"
_FULL = 0.25
_SIDE_PX = 256
_MISSING = 128


def true_colour(reflectance: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The colours of a window.

    Args:
        reflectance: (6, y, x) float32, unit 1, NaN missing.

    Returns:
        (y, x, 3) uint8: red, green, blue.
    """
    colours = reflectance[[BANDS.index(name) for name in ("B04", "B03", "B02")]]
    bright = np.sqrt(np.clip(np.nan_to_num(colours.astype(np.float64)) / _FULL, 0, 1))
    shown = np.where(np.isfinite(colours).all(axis=0), np.rint(255 * bright), _MISSING)
    moved: NDArray[np.uint8] = np.moveaxis(shown, 0, -1).astype(np.uint8)
    return moved


def png(colours: NDArray[np.uint8]) -> bytes:
    """(y, x, 3) uint8 as a PNG file, enlarged if small."""
    times = max(1, -(-_SIDE_PX // max(colours.shape[:2])))
    large = np.repeat(np.repeat(colours, times, axis=0), times, axis=1)
    height, width = large.shape[:2]
    lines = np.concatenate([np.zeros((height, 1), np.uint8), large.reshape(height, -1)], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
