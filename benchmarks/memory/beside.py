"""What `undertow plan` foretells of the measured lines, from the sizes that are stored beside them.

    foretold(json.load(open("benchmarks/memory/results.json")), "embedded/smollm2-135m", "scan lora-sft")

It reads no model.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from undertow.config.recipes.load import load_recipe
from undertow.models.size import ModelSize
from undertow.pipeline.forecast import Asked, Rows, forecast_audit, forecast_mitigate, forecast_scan

RESULTS = Path(__file__).parent / "results.json"
MANY = Rows(1_000, 384, 128, 60.0, 40.0)
"""A dataset of number lists, as most are larger than the measured one."""


def foretold(record: Mapping[str, Any], model: str, verb: str, rows: Rows | None = None) -> int:
    """Return the bytes that are foretold for a verb, on a machine whose products run in bf16.

    Args:
        record: As `results.json` holds it.
        model: One of its sizes.
        verb: With its recipe: `scan lora-sft`.
        rows: The dataset; the measured one when absent.
    """
    stored = record["sizes"][model]
    size = ModelSize(**{**stored, "linear": tuple(map(tuple, stored["linear"]))})
    rows, asked = rows or Rows(**record["rows"]), Asked(**record["asked"])
    kind, _, recipe = verb.partition(" ")
    by = load_recipe(recipe or "plain-sgd").spec
    if kind == "audit":
        return forecast_audit(size, asked).bytes
    forecast = forecast_scan if kind == "scan" else forecast_mitigate
    return forecast(size, rows, asked, by, half=True).bytes


def with_forecasts(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record with what is foretold now: of each measured line, and of many rows for three models."""
    lines = {name: {**each, "foretold": foretold(record, *name.split(", "))} for name, each in record["lines"].items()}
    verbs = ("scan plain-sgd", "scan lora-sft", "audit", "mitigate plain-sgd", "mitigate lora-sft")
    models = ("embedded/smollm2-135m", "Llama of 8B", "Llama of 70B")
    many = {verb: {model: foretold(record, model, verb, MANY) for model in models} for verb in verbs}
    return {**record, "lines": lines, "many": many}
