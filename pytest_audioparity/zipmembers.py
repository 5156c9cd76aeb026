"""What the directory of a zip archive claims, looked at before anything is unpacked."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from pytest_audioparity.errors import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

_ENCRYPTED = 0x1
# Deflate cannot shrink by more (https://zlib.net/zlib_tech.html); a member that claims to is a bomb or damaged.
_DEFLATE_MOST = 1032


def packing_problem(member: zipfile.ZipInfo) -> str | None:
    """Say that a member is packed in a way that is not read, or return None."""
    if member.flag_bits & _ENCRYPTED or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"holds {shown(member.filename)} encrypted or compressed in a way that is not read; store it"
    return None


def size_problem(member: zipfile.ZipInfo) -> str | None:
    """Say that a member cannot have as many bytes as it claims, or return None."""
    most = member.compress_size * (1 if member.compress_type == zipfile.ZIP_STORED else _DEFLATE_MOST)
    if member.file_size > most:
        return f"claims {member.file_size} bytes for {shown(member.filename)}, more than it can hold"
    return None


def archive_problem(members: Iterable[zipfile.ZipInfo], size_bytes: int) -> str | None:
    """Say why an archive of so many bytes cannot be unpacked as a whole, or return None."""
    packed_bytes = 0
    for member in members:
        packed_bytes += member.compress_size
        if (problem := packing_problem(member) or size_problem(member)) is not None:
            return problem
    if packed_bytes > size_bytes:  # members that share their bytes unpack to more than any file of that size
        return f"claims {packed_bytes} packed bytes, the file has {size_bytes}"
    return None
