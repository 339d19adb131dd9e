"""Is the fast pass what `transformers` computes? Asked once of every checkpoint, with one short prompt in float32.

The fast pass (`forward`, `decode`) knows the layers of a few architectures by heart. A config or an adapter may ask for
something that it does not do, and its numbers would be wrong without a word. The largest difference is kept in the
cache folder by the weights' digest, so that a checkpoint costs a part of a second once.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import torch
import torch.nn.functional as F

from undertow.assets.cache import cache_dir
from undertow.models.decode import decode_step, empty_cache, ready
from undertow.models.forward import forward_packed
from undertow.models.layers import output_weight
from undertow.models.packing import pack
from undertow.models.support import UnsupportedModelError, unusual

TOLERANCE: Final = 0.01
"""Nats: the largest difference of any token's log-probability that rounding may make."""
_VERSION: Final = 1
"""Raised when the fast pass changes."""
_LENGTH: Final = 24


def known(digest: str) -> bool:
    """Return whether a checkpoint was found to be computed rightly, by these versions."""
    try:
        found = json.loads(_file(digest).read_bytes())
        return bool(0 <= found["nats"] <= TOLERANCE)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def hold_against_transformers(net: Any, name: str, digest: str) -> None:
    """See that the fast pass computes a model as `transformers` does, unless that is known.

    Args:
        net: The model, in float32, with its adapter if it has one.
        name: Its Undertow name.
        digest: Stands for its weights.

    Raises:
        UnsupportedModelError: the two differ by more than `TOLERANCE`.
    """
    if known(digest):
        return
    try:
        nats = largest_difference(net)
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # shapes that do not fit, parts that are not there
        raise _differs(f"fails where transformers does not ({error})"[:200], net, name) from error
    if not nats <= TOLERANCE:
        raise _differs(f"is off by {nats:.2g} nats (transformers' own forward pass is right)", net, name)
    with suppress(OSError):  # A cache that cannot be written costs time, nothing else.
        path = _file(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        part.write_text(json.dumps({"nats": nats}) + "\n", encoding="utf-8")
        part.replace(path)


@torch.inference_mode()
def largest_difference(net: Any) -> float:
    """Return the largest difference of a log-probability between the two passes, in nats, at any position."""
    weight = output_weight(net)
    size = net.config.vocab_size
    tokens = [(7 + 7919 * at) % size for at in range(min(_LENGTH, net.config.max_position_embeddings))]
    ids = torch.tensor([tokens], device=weight.device)
    theirs = net(ids).logits[0].float().log_softmax(-1)
    # The last token goes through `decode`, the others through `forward`.
    cache = empty_cache(net, 1, len(tokens))
    slots = torch.zeros(1, dtype=torch.long, device=weight.device)
    before = forward_packed(net, pack([tokens[:-1]]).to(weight.device), cache=cache, slots=slots).hidden_ND
    last = decode_step(ready(net), ids[0, -1:], torch.tensor([len(tokens) - 1], device=weight.device), cache)
    ours = F.linear(torch.cat([before, last]), weight).float().log_softmax(-1)
    return float((ours - theirs).abs().max())


def _differs(how: str, net: Any, name: str) -> UnsupportedModelError:
    adapter = [f"the adapter's {field}" for field in _adapter_fields(net)]
    reasons = ", ".join([*adapter, *unusual(net.config)]) or "something that config.json does not name"
    return UnsupportedModelError(
        f"the fast forward pass {how}",
        name,
        f"Use another model. The likely reason is {reasons}.",
    )


def _adapter_fields(net: Any) -> list[str]:
    found: list[str] = []
    for each in getattr(net, "peft_config", {}).values():
        kind = str(getattr(each.peft_type, "value", each.peft_type))
        if kind != "LORA":
            found.append(f"type {kind}")
        for field in ("use_dora", "modules_to_save", "trainable_token_indices"):
            if value := getattr(each, field, None):
                found.append(f"{field}: {value}")
        modules = getattr(each, "target_modules", None) or ()
        if outside := sorted(name for name in modules if name in ("embed_tokens", "lm_head")):
            found.append(f"target_modules: {', '.join(outside)}")
    return found


def _file(digest: str) -> Path:
    versions = [_VERSION, _LENGTH, *map(version, ("torch", "transformers", "peft"))]
    versions.append("cuda" if torch.cuda.is_available() else "cpu")
    key = hashlib.sha256(json.dumps([digest, *versions]).encode()).hexdigest()[:20]
    return cache_dir() / "checked" / f"{key}.json"
