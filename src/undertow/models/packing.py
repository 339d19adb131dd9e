"""Packing: lay token sequences out so that nothing is computed twice and nothing is padding.

Sequences that begin alike (the same system prompt, the same question with several answers) share the tokens of their
common beginning: the pack is the trie of the sequences, one flat list of its nodes. Linear layers, norms and the
embedding run over that flat list; only attention needs rows, and gathers them from it. Sequences of one group share a
row too, in which a node attends to its ancestors alone. Gradients of shared tokens add up by themselves. It knows
tokens, not text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Packed:
    """The trie of some token sequences.

    Letters: N nodes (tokens that are computed), B attention rows, L slots of the longest row.
    """

    ids_N: Tensor
    """Token of each node."""
    positions_N: Tensor
    """Distance of each node from the root."""
    rows_BL: Tensor
    """Node in each slot of each row; past a row's end, node 0."""
    sees_BLL: Tensor | None
    """Which slots (last axis) each slot may attend to; None where every row is one sequence, so that it is causal."""
    where_N: Tensor
    """For each node, one place in the flattened (B, L) grid that holds it."""
    paths: tuple[Tensor, ...]
    """The nodes of each sequence, in the order in which the sequences were given."""

    def to(self, device: torch.device) -> Packed:
        """Copy the index tensors to a device."""
        return Packed(
            self.ids_N.to(device),
            self.positions_N.to(device),
            self.rows_BL.to(device),
            None if self.sees_BLL is None else self.sees_BLL.to(device),
            self.where_N.to(device),
            tuple(path.to(device) for path in self.paths),
        )


def pack(
    sequences: Sequence[Sequence[int]], groups: Sequence[int] | None = None, *, apart: Sequence[int] | None = None
) -> Packed:
    """Build the trie of some non-empty token sequences.

    Args:
        sequences: Token sequences.
        groups: A number for each sequence; those with the same number share an attention row, which pays when they
            have a long beginning in common. Without it, every sequence has its own row, in their order.
        apart: A number for each sequence; only those with the same number share what they have in common.

    Raises:
        ValueError: there is no sequence, one is empty, or the groups do not go with the sequences.
    """
    if not sequences or not all(len(tokens) for tokens in sequences):
        raise ValueError("pack needs at least one sequence, and no empty one")
    if groups is None:
        groups = range(len(sequences))
    if len(groups) != len(sequences):
        raise ValueError(f"{len(groups)} groups do not go with {len(sequences)} sequences")
    ids: list[int] = []
    positions: list[int] = []
    paths: list[list[int]] = [[] for _ in sequences]
    # In sorted order the sequences that share a beginning are neighbours, so the path to the last one suffices.
    path: list[int] = []
    previous: Sequence[int] = ()
    kin = [0] * len(sequences) if apart is None else apart
    before: int | None = None
    for index in sorted(range(len(sequences)), key=lambda index: (kin[index], list(sequences[index]))):
        tokens = sequences[index]
        shared = common_length(previous, tokens) if kin[index] == before else 0
        before = kin[index]
        del path[shared:]
        for position in range(shared, len(tokens)):
            path.append(len(ids))
            ids.append(int(tokens[position]))
            positions.append(position)
        paths[index] = list(path)
        previous = tokens
    rows_BL, sees_BLL, where_N = _rows(paths, groups, len(ids))
    return Packed(
        torch.tensor(ids),
        torch.tensor(positions),
        rows_BL,
        sees_BLL,
        where_N,
        tuple(torch.tensor(each) for each in paths),
    )


def one_a_row(packed: Packed) -> Packed:
    """Return a pack with every sequence in a row of its own, shared beginnings and all."""
    length = max(map(len, packed.paths))
    rows_BL = packed.rows_BL.new_zeros(len(packed.paths), length)
    where_N = torch.zeros_like(packed.where_N)
    for row, path in enumerate(packed.paths):
        rows_BL[row, : len(path)] = path
        where_N[path] = row * length + torch.arange(len(path), device=path.device)
    return Packed(packed.ids_N, packed.positions_N, rows_BL, None, where_N, packed.paths)


def common_length(left: Sequence[int], right: Sequence[int]) -> int:
    """Return how many tokens two sequences begin with in common."""
    count = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        count += 1
    return count


def _rows(paths: list[list[int]], groups: Sequence[int], nodes: int) -> tuple[Tensor, Tensor | None, Tensor]:
    slots: dict[int, dict[int, int]] = {}
    parents: dict[int, list[int]] = {}
    for path, group in zip(paths, groups, strict=True):
        slot, parent = slots.setdefault(group, {}), parents.setdefault(group, [])
        before = -1
        for node in path:
            if node not in slot:
                slot[node] = len(parent)
                parent.append(before)
            before = slot[node]
    length = max(len(parent) for parent in parents.values())
    rows_BL = torch.zeros(len(slots), length, dtype=torch.long)
    where_N = torch.zeros(nodes, dtype=torch.long)
    for row, slot in enumerate(slots.values()):
        held = torch.tensor(list(slot))
        rows_BL[row, : len(held)] = held
        where_N[held] = row * length + torch.arange(len(held))
    if all(parent == list(range(-1, len(parent) - 1)) for parent in parents.values()):
        return rows_BL, None, where_N
    # Every slot sees itself, so that a slot past the row's end, which nobody reads, does not divide by zero.
    sees_BLL = torch.eye(length, dtype=torch.bool).repeat(len(slots), 1, 1)
    order = {group: row for row, group in enumerate(slots)}
    filled = dict.fromkeys(slots, 0)
    for path, group in zip(paths, groups, strict=True):
        own = torch.tensor([slots[group][node] for node in path])
        # What the path shares with an earlier one is filled in already; slots were given out in this order.
        new = own[own >= filled[group]]
        filled[group] += len(new)
        sees_BLL[order[group], new[:, None], own] = torch.ones(len(new), len(own)).tril(len(own) - len(new)) > 0
    return rows_BL, sees_BLL, where_N
