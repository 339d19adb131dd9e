"""GGUF files of the user's: converted once to a folder in the cache, which is loaded like any other.

    hf/model.gguf     a file
    hf/FOLDER         a folder with one such file and no safetensors

The converter is that of the embedded model, `undertow.assets.gguf`. It decodes quantised weights to float32 and takes
`quantization_config` out of the config, with which they could not be stored. Where a file has an output projection of
its own, it is kept, even if the published model ties it to the embedding: the file rounds the two differently.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from undertow.assets.cache import cache_dir
from undertow.assets.commands import run_quietly
from undertow.errors import MissingExtraError, ModelError
from undertow.models.digests import file_digest
from undertow.system.names import slug
from undertow.system.progress import Progress

_MAGIC: Final = b"GGUF"
_ELSE: Final = "Name the same model with safetensors weights."
_VERSION: Final = 1
"""Raised when a conversion changes."""


def gguf_of(rest: str) -> Path | None:
    """Return the GGUF file that a name means; None where it means something else.

    Raises:
        ModelError: it is a folder with several.
    """
    path = Path(rest)
    try:
        if path.suffix == ".gguf" and path.is_file():
            return path
        if not path.is_dir() or any(path.glob("*.safetensors")) or (path / "model.safetensors.index.json").exists():
            return None
        found = sorted(path.glob("*.gguf"))
    except (OSError, ValueError):
        return None
    if len(found) > 1:
        names = ", ".join(each.name for each in found[:3])
        raise ModelError(f"holds {len(found)} GGUF files ({names})", rest, f"Name one of them: hf/{found[0]}")
    return found[0] if found else None


def converted(file: Path, *, converting: bool, progress: Progress) -> Path:
    """Return the folder that a GGUF file becomes.

    Args:
        file: The file.
        converting: Convert it where that has not been done.
        progress: Is told of the conversion.

    Raises:
        ModelError: it is no GGUF file, its architecture is not known to transformers, or it may not be converted.
        MissingExtraError: the package `gguf` is not installed.
    """
    from filelock import FileLock

    with file.open("rb") as opened:
        if opened.read(len(_MAGIC)) != _MAGIC:
            raise ModelError("is no GGUF file", str(file), "Fetch it again.")
    final = cache_dir() / f"gguf-{slug(file.stem)}-{file_digest(file)[:12]}-v{_VERSION}"
    if final.is_dir():
        return final
    if not converting:
        raise ModelError(
            "is not converted yet, and no weights are read here",
            str(file),
            f"Convert it: python -m undertow.assets.gguf {file} FOLDER, and name hf/FOLDER. A scan does so by itself.",
        )
    if importlib.util.find_spec("gguf") is None:
        raise MissingExtraError("reading GGUF needs gguf", fix="Install it with: pip install 'undertow[local]'")
    final.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(final.with_name(f".{final.name}.lock")):
        if not final.is_dir():
            progress.update(f"convert {file.name}", 0.0, "to safetensors, once")
            _convert(file, final)
    return final


def _convert(file: Path, final: Path) -> None:
    work = Path(tempfile.mkdtemp(prefix=f".{final.name}.part-", dir=final.parent))
    try:
        # Alone in a folder: transformers would read other files beside it.
        alone, out = work / "in" / "model.gguf", work / "out"
        alone.parent.mkdir()
        out.mkdir()
        alone.symlink_to(file.resolve())
        command = [sys.executable, "-P", "-m", "undertow.assets.gguf", os.fspath(alone), os.fspath(out)]
        if failed := run_quietly(command, work / "log", HF_HUB_OFFLINE="1"):
            raise ModelError(f"cannot be converted ({failed})", str(file), _ELSE)
        out.replace(final)
    finally:
        shutil.rmtree(work, ignore_errors=True)
