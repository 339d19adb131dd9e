"""The image datasets as arrays: MNIST's digits, Fashion-MNIST's clothes; pixels 0 to 255, labels 0 to 9."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from undertow.assets.cache import fetch
from undertow.assets.catalog import SystemFiles, find_asset
from undertow.assets.system_files import read_system_file
from undertow.errors import AssetError
from undertow.system.progress import Progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]

_PIXELS = 28 * 28
# The IDX format: a magic number and one 32-bit length for each dimension, then the bytes.
_IMAGE_HEADER, _LABEL_HEADER = 16, 8


def load_digits_data(name: Literal["mnist5k", "fashion"], *, progress: Progress | None = None) -> tuple[Bytes, Bytes]:
    """Return a dataset's images [N, 784] and labels [N], both uint8; it is fetched first if need be.

    `mnist5k` is ordered by digit, `fashion` has its 60,000 training images before its 10,000 test images.

    Raises:
        AssetError: it cannot be fetched or is not the pinned data.
    """
    import numpy as np

    asset = find_asset(name)
    if asset.kind != "data":
        raise AssetError(f"{name} is a {asset.kind}, not a dataset of images", fix="Use mnist5k or fashion.")
    folder = fetch(asset, progress=progress)
    if isinstance(asset.origin, SystemFiles):
        return images_from_idx(asset.origin)
    return np.load(folder / "images.npy", allow_pickle=False), np.load(folder / "labels.npy", allow_pickle=False)


def images_from_idx(origin: SystemFiles) -> tuple[Bytes, Bytes]:
    """Join gzipped IDX files, listed as images and labels in turn, to images [N, 784] and labels [N].

    Raises:
        AssetError: a file cannot be read, or is not the pinned one.
    """
    import numpy as np

    contents = [read_system_file(origin, file) for file in origin.files]
    images = [np.frombuffer(content, np.uint8, offset=_IMAGE_HEADER) for content in contents[0::2]]
    labels = [np.frombuffer(content, np.uint8, offset=_LABEL_HEADER) for content in contents[1::2]]
    return np.concatenate(images).reshape(-1, _PIXELS), np.concatenate(labels)
