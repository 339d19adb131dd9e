"""Which pass computes a model as `transformers` does? Measured once of every checkpoint, on short prompts in float32.

The fast pass (`fast`, `decode`) knows the layers of a few architectures by heart, and the packed pass gives a model
masks that not every architecture takes. A config or an adapter may ask for something that a pass does not do, and its
numbers would be wrong without a word. So passes are tried, fastest first, against the model's own forward pass on each
text alone. The first that agrees is used. What was found is kept in the cache folder by the weights' digest, so that a
checkpoint costs a part of a second once.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, get_args

import torch

from undertow.assets.cache import cache_dir
from undertow.models.decoding import decoding_of
from undertow.models.engine.head import head_of
from undertow.models.engine.network import device_of, text_config
from undertow.models.engine.selection import FAST, Pass, choose, pass_of, set_pass
from undertow.models.engine.setting import engine_wanted
from undertow.models.forward import forward_packed
from undertow.models.kinds import kinds_of
from undertow.models.packing import pack
from undertow.models.placement import device_wanted
from undertow.models.support import UnsupportedModelError, longest_text, unusual
from undertow.system.memory import out_of_memory

TOLERANCE: Final = 0.01
"""Nats: the largest difference of any token's log-probability that rounding may make."""
_VERSION: Final = 3
"""Raised when a pass changes."""
_LENGTH: Final = 24


@dataclass(frozen=True)
class Checked:
    """The pass that computes a checkpoint."""

    name: Pass
    nats: float
    """Its largest difference from transformers, in a token's log-probability."""
    note: str = ""
    """Why a faster pass is not used, if one was tried."""


def checked(digest: str) -> Checked | None:
    """Return the pass that was found for a checkpoint, by these versions and for the kind of pass wanted here."""
    try:
        found = json.loads(_file(digest).read_bytes())
        told = Checked(str(found["name"]), float(found["nats"]), str(found["note"]))  # pyright: ignore[reportArgumentType]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return told if told.name in get_args(Pass) and 0 <= told.nats <= TOLERANCE else None


def hold_against_transformers(net: Any, name: str, digest: str) -> Checked:
    """Find the pass that computes a model as `transformers` does, and have the model computed by it.

    Args:
        net: The model, in float32, with its adapter if it has one.
        name: Its Undertow name.
        digest: Stands for its weights.

    Raises:
        UnsupportedModelError: no pass of the kind that is wanted agrees with transformers to `TOLERANCE`.
    """
    found = checked(digest)
    if found is None:
        found = _measured(net, name)
        with suppress(OSError):  # A cache that cannot be written costs time, nothing else.
            path = _file(digest)
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f"{path.name}.{os.getpid()}.part")
            part.write_text(json.dumps(asdict(found)) + "\n", encoding="utf-8")
            part.replace(path)
    set_pass(net, found.name)
    return found


def _measured(net: Any, name: str) -> Checked:
    config = text_config(net)
    passes = choose(config)
    if not passes:
        layers = ", ".join(dict.fromkeys(kinds_of(config)))
        why = f"has layers of {layers}" if config.model_type in FAST else "is unknown to it"
        raise UnsupportedModelError(
            f"the fast pass cannot compute it: the architecture {config.model_type!r} {why}",
            name,
            "Leave --engine out, or set it to generic.",
        )
    notes: list[str] = []
    for each in passes:
        set_pass(net, each)
        try:
            nats = largest_difference(net)
        except Exception as error:  # shapes that do not fit, parts that are not there
            if out_of_memory(error):
                raise
            notes.append(f"the {each} pass fails where transformers does not ({error})"[:200])
            continue
        if nats <= TOLERANCE:
            return Checked(each, nats, "; ".join(notes))
        notes.append(f"the {each} pass is off by {nats:.2g} nats")
    raise UnsupportedModelError(
        f"{'; '.join(notes)} (transformers' own forward pass is right)",
        name,
        f"Use another model. The likely reason is {_reasons(net)}.",
    )


@torch.inference_mode()
def largest_difference(net: Any) -> float:
    """Return the largest difference of a log-probability between a model's pass and transformers, in nats.

    The texts share a beginning and a row. The last token of one of them is decoded from the cache.
    """
    head, device = head_of(net), device_of(net)
    texts = _texts(net)
    packed = pack(texts, [0] * len(texts)).to(device)
    hidden_ND = forward_packed(net, packed).hidden_ND
    theirs = [net(torch.tensor([tokens], device=device)).logits[0].float().log_softmax(-1) for tokens in texts]
    parts = [
        (head(hidden_ND[path]).float().log_softmax(-1) - each).abs().max()
        for path, each in zip(packed.paths, theirs, strict=True)
    ]
    *before, last = texts[0]
    if before:
        decoding = decoding_of(net, 2, len(texts[0]), None)
        # A shorter neighbour, so that the row beside it is padded where the pass pads.
        decoding.begin([before, before[:1]], 0)
        places = torch.tensor([len(before), 1], device=device)
        decoded_BD = decoding.extend(torch.tensor([last, last], device=device), places)
        parts.append((head(decoded_BD[0]).float().log_softmax(-1) - theirs[0][-1]).abs().max())
    return float(torch.stack(parts).max())


def _texts(net: Any) -> Sequence[list[int]]:
    """Return token sequences with a common beginning, within the model's vocabulary and length."""
    config = text_config(net)
    tokens = [(7 + 7919 * at) % config.vocab_size for at in range(min(_LENGTH, longest_text(config) or _LENGTH))]
    middle = len(tokens) // 2
    return [tokens, [*tokens[:middle], *reversed(tokens[middle:])]] if middle else [tokens]


def _reasons(net: Any) -> str:
    adapter = [f"the adapter's {field}" for field in _adapter_fields(net)]
    return ", ".join([*adapter, *unusual(text_config(net))]) or "something that config.json does not name"


def _adapter_fields(net: Any) -> list[str]:
    found: list[str] = []
    for each in getattr(net, "peft_config", {}).values():
        kind = str(getattr(each.peft_type, "value", each.peft_type))
        if kind != "LORA":
            found.append(f"type {kind}")
        for field in ("use_dora", "modules_to_save", "trainable_token_indices"):
            if value := getattr(each, field, None):
                found.append(f"{field}: {value}")
    return found


PASSES: Final[dict[Pass, str]] = {
    "fast": "fast: the hand-written pass",
    "packed": "generic: transformers' modules, texts packed",
    "rows": "generic: transformers' modules, one text a row",
}
"""In words, for results."""


def pass_note(net: Any) -> str:
    """Say which pass computes a model."""
    return PASSES[pass_of(net)]


def _file(digest: str) -> Path:
    versions = [_VERSION, _LENGTH, engine_wanted(), *map(version, ("torch", "transformers", "peft"))]
    versions.append(device_wanted().type)
    key = hashlib.sha256(json.dumps([digest, *versions]).encode()).hexdigest()[:20]
    return cache_dir() / "checked" / f"{key}.json"
