"""Files that the system's package manager put in place, checked against their pinned hashes."""

from __future__ import annotations

import gzip
import hashlib
import zlib

from undertow.assets.catalog import SystemFile, SystemFiles
from undertow.errors import AssetError


def read_system_file(origin: SystemFiles, file: SystemFile) -> bytes:
    """Return the uncompressed content of a file that the system's package manager put in place.

    Raises:
        AssetError: it cannot be read, or its content is not the pinned one.
    """
    path = origin.folder / file.name
    fix = f"Install the package again: apt-get install --reinstall {origin.package}"
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise AssetError(f"cannot be read ({error})", str(path), fix) from error
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        raise AssetError(f"not the pinned data: its sha256 is {found}, expected {file.sha256}", str(path), fix)
    return content
