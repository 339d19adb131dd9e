"""What stands for a model's weights where work is stored, so that other weights under the same name are noticed.

identity_of("hf/folder:adapter")

It does not know the files of a name in the hub before they are loaded: the name stands for those.
"""

from __future__ import annotations

from undertow.models.digests import model_digest as model_digest
from undertow.system.progress import Progress


def identity_of(name: str, progress: Progress | None = None) -> str:
    """Return what stands for a model's weights, its adapter's included; it is fetched if it must be.

    Raises:
        ModelError: no such model.
        AssetError: the embedded model cannot be fetched.
    """
    from undertow.models.local import find_model

    return model_digest(name, find_model(name, progress=progress))
