"""Counts of what a dataset holds beside plain answers, and of what was met and not read: for every report."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from undertow.data.rows import LOSS, Loss, Row, loss_turns, reasoning_of


@dataclass
class Counts:
    """What the rows hold that were added so far."""

    loss: Loss = LOSS
    rows: int = 0
    answers: int = 0
    """Turns of the assistant."""
    carrying: int = 0
    """Turns that carry loss."""
    several: int = 0
    """Rows with more than one answer."""
    reasoning: int = 0
    """Rows with reasoning in a turn that carries loss."""
    calls: int = 0
    """Rows with tool calls."""
    tools: int = 0
    """Rows that name the tools that were offered."""
    weights: int = 0
    """Rows with a weight, of a turn or of the row."""
    text: int = 0
    """Rows of plain text."""
    unread: Counter[str] = field(default_factory=Counter[str])
    """Keys that were not read, and in how many rows."""

    def add(self, row: Row) -> None:
        """Count one row."""
        turns = row.messages
        carrying = loss_turns(row, self.loss)
        answers = sum(turn["role"] == "assistant" for turn in turns)
        self.rows += 1
        self.answers += answers
        self.carrying += len(carrying)
        self.several += answers > 1
        self.reasoning += any(reasoning_of(turns[at]) for at in carrying)
        self.calls += any("tool_calls" in turn for turn in turns)
        self.tools += row.tools is not None
        self.weights += row.weight is not None or any("weight" in turn for turn in turns)
        self.text += row.is_text
        if row.unread:
            self.unread.update(row.unread)

    def record(self) -> dict[str, int | dict[str, int]]:
        """Return the counts by name, for a file of results."""
        names = ("answers", "carrying", "several", "reasoning", "calls", "tools", "weights", "text")
        counts: dict[str, int | dict[str, int]] = {name: getattr(self, name) for name in names}
        return {**counts, "unread": dict(sorted(self.unread.items()))}

    def notes(self) -> list[str]:
        """Say in sentences what there is beside plain answers; nothing where there is nothing."""
        said: list[str] = []
        if self.several:
            said.append(f"{_rows(self.several, 'has', 'have')} several answers")
        if self.several or self.carrying != self.answers:
            said.append(f"{self.answers:,} answers in all; loss is on {self.carrying:,} turns")
        if self.weights:
            said.append(f"{_rows(self.weights, 'has', 'have')} weights or train flags")
        if self.reasoning:
            said.append(f"{_rows(self.reasoning, 'has', 'have')} reasoning, which carries loss too")
        if self.calls:
            said.append(f"{_rows(self.calls, 'has', 'have')} tool calls")
        if self.tools:
            said.append(f"{_rows(self.tools, 'names', 'name')} tools")
        if self.text:
            said.append(f"{_rows(self.text, 'is', 'are')} plain text, all of which carries loss")
        beside = {key: count for key, count in self.unread.items() if "[]" not in key}
        if beside:
            said.append(f"kept in meta, and not looked at: {_listed(beside)}")
        inside = {key: count for key, count in self.unread.items() if "[]" in key}
        if inside:
            said.append(f"not read, and not written: {_listed(inside)}")
        return said


def _rows(count: int, one: str, many: str) -> str:
    return f"{count:,} row {one}" if count == 1 else f"{count:,} rows {many}"


def _listed(keys: dict[str, int]) -> str:
    return ", ".join(f"{key} ({count:,} {'row' if count == 1 else 'rows'})" for key, count in sorted(keys.items()))
