"""The forward pass over packed sequences, by the modules of `transformers`: for any causal language model.

Rows of a pack become a batch. Where sequences share a row, a token sees its ancestors alone, through a mask of four
dimensions, and positions are given. Windows are built from positions, since neighbours in a row can be far apart in
their sequences, and the other way round. Where each row is one sequence, the model masks by itself. Such rows compute
shared beginnings anew, more tokens than the pack has: where no gradient needs them, they are computed some at a time.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor

from undertow.models.engine.network import Network, network_of
from undertow.models.kinds import CHUNKED, FULL, SLIDING, window_of
from undertow.models.layers import Steering
from undertow.models.packing import Packed, one_a_row

ROWS_TOKENS = 4096
"""Tokens that are computed at once where every text has a row, and no gradient flows."""
_LAST = -1


def forward_generic(
    net: Any, packed: Packed, *, rows: bool, steering: Steering | None, keep_layers: tuple[int, ...]
) -> tuple[Tensor, dict[int, Tensor], Packed]:
    """Compute the hidden states of every node of a pack.

    Args:
        net: A causal language model.
        packed: The sequences.
        rows: Give each sequence a row of its own.
        steering: Vectors to add.
        keep_layers: Layers whose outputs to return as well.

    Returns:
        Hidden states (N, D) after the last norm, outputs (N, D) of layers, and the pack as it was computed.
    """
    network = network_of(net)
    if rows:
        packed = one_a_row(packed)
    inputs: dict[str, Any] = {}
    if packed.sees_BLL is not None:
        inputs["position_ids"] = packed.positions_N[packed.rows_BL]
        inputs["attention_mask"] = masks_of(network, packed.sees_BLL, inputs["position_ids"])
    kept: dict[int, Tensor] = {}
    found: list[dict[int, Tensor]] = []
    parts = _parts(packed) if rows and not torch.is_grad_enabled() else [slice(None)]
    with steered(network, steering), ExitStack() as hooks:
        for index in keep_layers:
            hooks.callback(network.layers[index].register_forward_hook(_keeper(kept, index)).remove)
        for part in parts:
            ids_BL = packed.ids_N[packed.rows_BL[part]]
            last_BLD = network.stack(input_ids=ids_BL, **inputs, use_cache=False).last_hidden_state
            found.append({key: _nodes(each_BLD, packed, part) for key, each_BLD in {_LAST: last_BLD, **kept}.items()})
    if len(found) == 1:
        together = found[0]
    else:
        order_N = torch.cat([_nodes_of(packed, part) for part in parts]).argsort()
        together = {key: torch.cat([each[key] for each in found])[order_N] for key in found[0]}
    return together[_LAST], {index: together[index] for index in keep_layers}, packed


def masks_of(network: Network, sees_BLL: Tensor, positions_BL: Tensor) -> Any:
    """Return the attention mask of a pack, or one for each kind of layer where there are several.

    Args:
        network: The model.
        sees_BLL: Which slots each slot descends from, itself included.
        positions_BL: The position of every slot's token in its sequence.
    """
    masks = {
        kind: _in_form(network, sees_BLL & _within(network.config, kind, positions_BL))
        for kind in dict.fromkeys(network.kinds)
    }
    return masks if len(masks) > 1 else next(iter(masks.values()))


def _within(config: Any, kind: str, positions_BL: Tensor) -> Tensor:
    """Return which slots (last axis) are near enough to each slot."""
    query_BL1, key_B1L = positions_BL[:, :, None], positions_BL[:, None, :]
    if kind == SLIDING and (window := window_of(config)) is not None:
        return key_B1L > query_BL1 - window
    if kind == CHUNKED:
        size = config.attention_chunk_size
        return query_BL1 // size == key_B1L // size
    if kind not in (FULL, SLIDING):
        raise ValueError(f"layers of the kind {kind!r} take no mask")
    return torch.ones(1, 1, 1, dtype=torch.bool, device=positions_BL.device)


def _in_form(network: Network, sees_BLL: Tensor) -> Tensor:
    """Return a mask as the model's attention wants it: true and false, or numbers to add."""
    sees_B1LL = sees_BLL[:, None]
    if network.config._attn_implementation == "sdpa":
        return sees_B1LL
    dtype = network.net.dtype
    return torch.zeros(sees_B1LL.shape, dtype=dtype, device=sees_BLL.device).masked_fill(
        ~sees_B1LL, torch.finfo(dtype).min
    )


@contextmanager
def steered(network: Network, steering: Steering | None) -> Generator[None]:
    """Add vectors to the layers' outputs, as long as the context lasts."""
    with ExitStack() as hooks:
        for index, vector_D in (steering or {}).items():
            if 0 <= index < len(network.layers):
                hooks.callback(network.layers[index].register_forward_hook(_adder(vector_D)).remove)
        yield


def _adder(vector_D: Tensor) -> Any:
    def hook(_module: object, _inputs: object, output: Any) -> Any:
        if isinstance(output, Tensor):
            return output + vector_D.to(output)
        return (output[0] + vector_D.to(output[0]), *output[1:])

    return hook


def _keeper(kept: dict[int, Tensor], index: int) -> Any:
    def hook(_module: object, _inputs: object, output: Any) -> None:
        kept[index] = output if isinstance(output, Tensor) else output[0]

    return hook


def _nodes(each_BLD: Tensor, packed: Packed, part: slice) -> Tensor:
    """Return what was computed of the nodes that some rows hold."""
    # Of a model on several devices the layers' outputs are where the layers are.
    flat_GD = each_BLD.reshape(-1, each_BLD.shape[-1]).to(packed.where_N.device)
    if part == slice(None):
        return flat_GD[packed.where_N]
    return flat_GD[packed.where_N[_nodes_of(packed, part)] - part.start * packed.rows_BL.shape[1]]


def _nodes_of(packed: Packed, part: slice) -> Tensor:
    row_N = packed.where_N // packed.rows_BL.shape[1]
    return ((row_N >= part.start) & (row_N < part.stop)).nonzero()[:, 0]


def _parts(packed: Packed) -> list[slice]:
    """Return rows that are computed at once, within a number of tokens."""
    count, length = packed.rows_BL.shape
    at_once = max(1, ROWS_TOKENS // length)
    if at_once >= count:
        return [slice(None)]
    return [slice(start, start + at_once) for start in range(0, count, at_once)]
