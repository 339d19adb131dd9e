"""What an asset's bytes become: each function turns one unpacked file into the files of a cache entry.

The same bytes in give the same bytes out.
"""

from __future__ import annotations

import sys
from pathlib import Path

from undertow.errors import AssetError


def tied_model_from_gguf(gguf: Path, out: Path) -> None:
    """Convert a model whose input and output embedding are one, though its file holds both, rounded differently.

    The output's is kept: it is stored with more bits.

    Raises:
        AssetError: the conversion failed.
        OSError: the disk is full.
    """
    model_from_gguf(gguf, out, "--tie")


def model_from_gguf(gguf: Path, out: Path, *options: str) -> None:
    """Convert a language model to a folder that transformers loads in a tenth of a second.

    It runs in a process of its own, which gives its memory back and keeps what the libraries print to itself.

    Raises:
        AssetError: the conversion failed.
        OSError: the disk is full.
    """
    from undertow.assets.commands import run_quietly

    log = gguf.with_name("convert.log")
    command = [sys.executable, "-P", "-m", "undertow.assets.gguf", str(gguf), str(out), *options]
    if failed := run_quietly(command, log, HF_HUB_OFFLINE="1"):
        raise AssetError(
            f"cannot be converted ({failed})",
            gguf.name,
            "It takes 2 GB of memory and the versions of torch and transformers that the extra names: "
            "pip install 'undertow[local]'",
        )


def arrays_from_mnist_csv(table: Path, out: Path) -> None:
    """Convert gzipped lines of 784 pixels and a label to `images.npy` [N, 784], `labels.npy` [N], uint8."""
    import gzip

    import numpy as np

    with gzip.open(table, "rt", encoding="ascii") as lines:
        values_NC = np.loadtxt(lines, delimiter=",", dtype=np.uint8)
    np.save(out / "images.npy", values_NC[:, :-1], allow_pickle=False)
    np.save(out / "labels.npy", values_NC[:, -1], allow_pickle=False)
