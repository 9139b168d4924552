"""Packed arrays: some arrays in one file of a depot, each with a checksum, whole or absent.

In: a depot, a name and arrays. Out: the same arrays, bit for bit. Knows nothing of what they mean.

A zip archive, whose CRC-32 of every member tells what is broken.
"""

import io
import math
import zipfile
import zlib
from typing import Any

import numpy as np
from numcodecs import blosc
from numpy.typing import NDArray

from pipeline.depot import Depot
from pipeline.errors import DamagedError, StateError

blosc.use_threads = False  # a task has one core
_CODEC = blosc.Blosc(cname="zstd", clevel=1, shuffle=blosc.SHUFFLE)
"""Measured on a tile's evidence: DEFLATE takes four times as long to write it, twice to read it, and a fifth more
room."""
_PACKED = ".blosc"
_RESTORE = "restore it from a backup, or replay the AOI"


def save(depot: Depot, file: str, arrays: dict[str, NDArray[Any]]) -> None:
    """Write arrays: the file is whole or absent.

    A zip archive, with its CRC-32 of each member: the header of an `.npy` file, then the values as Blosc packs them.

    Raises:
        WriteError: the disk is full, or the depot cannot be written to.
    """
    with depot.writing(file) as handle, zipfile.ZipFile(handle, "w") as archive:
        for name, values in arrays.items():
            whole, member = np.ascontiguousarray(values), io.BytesIO()
            np.lib.format.write_array_header_1_0(member, np.lib.format.header_data_from_array_1_0(whole))
            member.write(_CODEC.encode(whole) if whole.size else b"")
            # its fixed date keeps the bytes the same every time
            archive.writestr(zipfile.ZipInfo(f"{name}{_PACKED}"), member.getbuffer())


def load(
    depot: Depot,
    file: str,
    *,
    foreign_bytes: int | None = None,
    remedy: str = _RESTORE,
) -> dict[str, NDArray[Any]]:
    """Read what `save` or `numpy.savez` wrote.

    Args:
        depot: where it is.
        file: its name.
        foreign_bytes: it may have passed through other hands: so much, headers included, is the most that it may hold;
            plain arrays alone are read then, as Blosc trusts its input. None: it is the state's own.
        remedy: what to do if it is damaged, for the message.

    Raises:
        StateError: the file is missing or out of reach.
        DamagedError: it is broken.
    """
    found = find(depot, file, foreign_bytes=foreign_bytes, remedy=remedy)
    if found is None:
        raise StateError(f"{depot}/{file}: is missing; {remedy}")
    return found


def find(
    depot: Depot, file: str, *, foreign_bytes: int | None = None, remedy: str = _RESTORE
) -> dict[str, NDArray[Any]] | None:
    """Like `load`, or None if there is no such file."""
    try:
        with depot.reading(file) as handle, zipfile.ZipFile(handle) as archive:
            told = sum(member.file_size for member in archive.infolist())  # no more of a member is read than it tells
            if foreign_bytes is not None and told > foreign_bytes:
                raise ValueError(f"its arrays would take {told} bytes, {foreign_bytes} is the most")
            if {member.compress_type for member in archive.infolist()} - {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                raise ValueError("packed otherwise than by this project")
            foreign = foreign_bytes is not None
            return {name.rpartition(".")[0]: _read(archive, name, foreign) for name in archive.namelist()}
    except FileNotFoundError:
        return None
    except OSError as err:
        raise StateError(f"{depot}/{file}: not readable ({err}); {remedy}") from err
    except (ValueError, RuntimeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as err:
        raise DamagedError(f"{depot}/{file}: not readable ({err}); {remedy}") from err


def fingerprint(depot: Depot, file: str) -> str:
    """What tells a file's arrays from others, without reading them: their checksums; empty if there is no such file."""
    try:
        with depot.reading(file) as handle, zipfile.ZipFile(handle) as archive:
            return " ".join(f"{entry.filename}:{entry.CRC:08x}" for entry in archive.infolist())
    except (OSError, zipfile.BadZipFile):
        return ""


def _read(archive: zipfile.ZipFile, name: str, foreign: bool) -> NDArray[Any]:
    with archive.open(name) as packed_member:
        content = packed_member.read(archive.getinfo(name).file_size)  # without a size all would be unpacked first
        packed_member.read(1)  # at the end its checksum is compared
    member = io.BytesIO(content)
    np.lib.format.read_magic(member)
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(member)
    packed, data = name.endswith(_PACKED) and not foreign, memoryview(content)[member.tell() :]
    if dtype.hasobject or (packed and fortran):
        raise ValueError(f"{name}: not written by this project")
    if not packed and math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"{name}: holds other than its header says")
    values = np.empty(shape, dtype, "F" if fortran else "C")
    if packed and values.size:
        _CODEC.decode(data, values)
    elif values.size:
        values[...] = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
    return values
