"""Files of three public layouts with reasoning and tools, made after their published schemas, and what they hold.

    openai      OpenAI's fine-tuning chat with tools: parallel calls, weights, a developer's turn
    sharegpt    ShareGPT with function calls and observations, the tools as JSON text
    reasoning   messages with `reasoning_content`, as sets distilled from reasoning models have them

Each generator returns records and the counts that a reader has to arrive at, kept while the records are made.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

Records = tuple[list[dict[str, Any]], Counter[str]]
NAMES = ("rows", "answers", "carrying", "several", "reasoning", "calls", "tools", "weights", "left_out")
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Weather of a town.",
        "parameters": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
    },
}


def openai(count: int, seed: int) -> Records:
    """`{"messages": [...], "tools": [...], "parallel_tool_calls": false}`, as files for fine-tuning are."""
    rng = random.Random(seed)
    records: list[dict[str, Any]] = []
    counts = Counter(dict.fromkeys(NAMES, 0))
    for row in range(count):
        turns: list[dict[str, Any]] = [{"role": rng.choice(["system", "developer"]), "content": "Be brief."}]
        answers, carrying, weighted, called = 0, 0, False, False
        for exchange in range(rng.randint(1, 3)):
            turns.append({"role": "user", "content": f"Weather in town {row}-{exchange}?"})
            if rng.random() < 0.5:
                calls = [
                    {"id": f"call_{row}_{exchange}_{n}", "type": "function",
                     "function": {"name": "weather", "arguments": json.dumps({"town": f"{row}-{n}"})}}
                    for n in range(rng.randint(1, 2))
                ]  # fmt: skip
                turns.append({"role": "assistant", "content": None, "tool_calls": calls})
                turns += [{"role": "tool", "tool_call_id": call["id"], "content": "rain"} for call in calls]
                answers, carrying, called = answers + 1, carrying + 1, True
            turn: dict[str, Any] = {"role": "assistant", "content": f"Rain, {row}."}
            if rng.random() < 0.3:
                turn["weight"] = rng.randint(0, 1)
                weighted = True
            turns.append(turn)
            answers, carrying = answers + 1, carrying + turn.get("weight", 1)
        records.append({"messages": turns, "tools": [TOOL], "parallel_tool_calls": False})
        if not carrying:
            counts["left_out"] += 1
            continue
        counts.update(rows=1, answers=answers, carrying=carrying, several=answers > 1, calls=called, tools=1,
                      weights=weighted)  # fmt: skip
    return records, counts


def sharegpt(count: int, seed: int) -> Records:
    """`{"conversations": [{"from": "human"}, {"from": "function_call"}, ...], "system": ..., "tools": "[...]"}`."""
    rng = random.Random(seed)
    records: list[dict[str, Any]] = []
    counts = Counter(dict.fromkeys(NAMES, 0))
    for row in range(count):
        turns: list[dict[str, str]] = []
        answers, called = 0, False
        for exchange in range(rng.randint(1, 3)):
            turns.append({"from": "human", "value": f"Weather in town {row}-{exchange}?"})
            if rng.random() < 0.6:
                call = {"name": "weather", "arguments": {"town": f"{row}"}}
                turns.append({"from": "function_call", "value": json.dumps(call)})
                turns.append({"from": "observation", "value": json.dumps({"sky": "rain"})})
                answers, called = answers + 1, True
            turns.append({"from": "gpt", "value": "Rain."})
            answers += 1
        offered = rng.random() < 0.8
        records.append({"conversations": turns, "system": "", "tools": json.dumps([TOOL]) if offered else ""})
        counts.update(rows=1, answers=answers, carrying=answers, several=answers > 1, calls=called, tools=offered)
    return records, counts


def reasoning(count: int, seed: int) -> Records:
    """`{"messages": [..., {"role": "assistant", "content": ..., "reasoning_content": ...}], "source": ...}`."""
    rng = random.Random(seed)
    records: list[dict[str, Any]] = []
    counts = Counter(dict.fromkeys(NAMES, 0))
    for row in range(count):
        answer: dict[str, Any] = {"role": "assistant", "content": f"{2 * row}"}
        kind = rng.choice(["field", "inside", "none", "null"])
        if kind == "field":
            answer["reasoning_content"] = f"{row} + {row} is {2 * row}"
        if kind == "inside":
            answer["content"] = f"<think>\n{row} + {row}\n</think>\n\n{2 * row}"
        if kind == "null":
            answer["reasoning_content"] = None
        turns = [{"role": "user", "content": f"{row} + {row}?"}, answer]
        records.append({"messages": turns, "source": "sums", "generations": [f"{2 * row}"]})
        counts.update(rows=1, answers=1, carrying=1, reasoning=kind in ("field", "inside"))
    return records, counts


GENERATORS: dict[str, Callable[[int, int], Records]] = {
    "openai": openai,
    "sharegpt": sharegpt,
    "reasoning": reasoning,
}
