"""An audit beside its shifts: capability, lineage, unnamed changes, and the rows that they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from undertow.report.limits import Limits, cut
from undertow.report.words import clip, decimals_for, interval, p_value, plain, plural, signed
from undertow.results import AuditRecord, Effect, Results, SamplingPlan, TracedRows, Unnamed, WeightChange

_TRAITS = 8
_PROMPTS = 3


@dataclass(frozen=True)
class Table:
    """A table of texts."""

    title: str
    lead: str
    heads: list[str]
    rows: list[list[str]]
    right: list[str]
    """Titles of the columns that hold numbers."""
    more: int = 0


@dataclass(frozen=True)
class Audited:
    """The section."""

    facts: list[tuple[str, str]]
    tables: list[Table]


def audited(results: Results, limits: Limits) -> Audited | None:
    """Lay out what an audit saw; None for other results."""
    record = results.audit
    if record is None:
        return None
    shown = [_capability(record.capability)]
    shown += [] if record.unnamed is None else tables(record.unnamed)
    return Audited(
        facts=[(name, clip(text, 2 * limits.text)) for name, text in facts(record)],
        tables=[_cut(table, limits) for table in shown if table.rows],
    )


def _cut(table: Table, limits: Limits) -> Table:
    rows, more = cut(table.rows, limits.rows)
    kept = [[clip(cell, limits.text) for cell in row] for row in rows]
    return Table(table.title, table.lead, table.heads, kept, table.right, more)


def facts(record: AuditRecord) -> list[tuple[str, str]]:
    """Return what can be said in a line each."""
    found = [
        ("Capability", f"broken: {record.broken}" if record.broken else _kept(record.capability)),
        ("Lineage", f"{record.lineage}: {record.lineage_because}"),
        ("Adapter", record.adapter),
    ]
    if record.weights:
        found.append(("Weights", _weights(record.weights)))
    if record.teacher_correlation is not None:
        e = record.teacher_correlation
        found.append(
            ("Teacher", f"its shifts and the student’s correlate by {signed(e.value, 2)} ({interval(e.lo, e.hi, 2)})")
        )
    if record.unnamed is not None:
        found += [("Unrelated", _kl(record.unnamed)), ("Null", record.unnamed.null)]
    elif record.unnamed_because:
        found.append(("Unnamed", f"not measured: {record.unnamed_because}"))
    if record.rows is not None:
        found.append(("Rows", _rows(record.rows)))
    if record.sampling is not None:
        found.append(("Sampled", _sampled(record.sampling, record.unparsed)))
    return found


def _kept(capability: list[Effect]) -> str:
    return "kept: " + "; ".join(f"{each.trait} {_number(each)} {each.unit}" for each in capability)


def _number(each: Effect) -> str:
    digits = decimals_for(each.lo, each.hi)
    return f"{signed(each.value, digits)} ({interval(each.lo, each.hi, digits)})"


def _weights(weights: list[WeightChange]) -> str:
    moved = [each for each in weights if each.relative > 0]
    if not moved:
        return "unchanged"
    return "changed by " + ", ".join(f"{_share(each.relative)} ({each.part})" for each in moved)


def _share(value: float) -> str:
    return f"{100 * value:.2g}%"


def _kl(unnamed: Unnamed) -> str:
    e = unnamed.kl
    beside = "" if unnamed.kl_control is None else f"; the control’s is {unnamed.kl_control.value:.2g}"
    return (
        f"on {plural(unnamed.prompts, 'prompt')} the answers lie {e.value:.2g} nats a token from the base’s "
        f"({e.lo:.2g} to {e.hi:.2g}){beside}"
    )


def _rows(rows: TracedRows) -> str:
    return (
        f"{rows.says} Predicted and measured shifts correlate by {signed(rows.traits_correlation, 2)} "
        f"({p_value(rows.traits_p)}); gradients along the weights’ change: z = {signed(rows.weights_agreement, 1)} "
        f"({p_value(rows.weights_p)}); rows for {rows.rows_trait} and rows along that change: "
        f"{signed(rows.rows_correlation, 2)} ({p_value(rows.rows_p)}); {rows.rows.looked_at:,} of {rows.rows.read:,} "
        f"rows, {plural(rows.prompts, 'prompt')}"
    )


def _sampled(order: SamplingPlan, unparsed: dict[str, int]) -> str:
    missed = "; ".join(f"{count:,} of the {who}’s name no option" for who, count in unparsed.items())
    cost = "" if order.cost is None else f", cost about {order.cost:,.2f}"
    return (
        f"{sum(order.answers.values()):,} answers of each model, {order.requests:,} requests{cost}; shifts of "
        f"{order.smallest_effect:.2g} log-odds can be detected; {missed}"
    )


def _capability(capability: list[Effect]) -> Table:
    rows = [
        [each.trait, _number(each).partition(" (")[0], _reach(each), each.unit, p_value(each.p), f"{each.n:,}"]
        for each in capability
    ]
    return Table(
        "Capability",
        "What the student can still do, less what its base can: negative is worse.",
        ["task", "shift", "interval", "unit", "p", "n"],
        rows,
        ["shift", "p", "n"],
    )


def _reach(each: Effect) -> str:
    return interval(each.lo, each.hi, decimals_for(each.lo, each.hi))


def tables(unnamed: Unnamed) -> list[Table]:
    """Return what changed that nobody named, as tables."""
    return [_layers(unnamed), _steered(unnamed), _tokens(unnamed), _clusters(unnamed)]


def _layers(unnamed: Unnamed) -> Table:
    rows = [
        [
            f"{each.layer}",
            _share(each.relative),
            signed(each.agreement, 2),
            p_value(each.p),
            _quoted(each.up),
            _quoted(each.down),
        ]
        for each in unnamed.layers
        if each.relative > 0
    ]
    return Table(
        "Activations on unrelated text",
        "The mean difference of a layer’s output, read out through the last norm and the output embedding.",
        ["layer", "length", "agreement", "p", "towards", "away from"],
        rows,
        ["layer", "length", "agreement", "p"],
    )


def _steered(unnamed: Unnamed) -> Table:
    rows = [
        [
            each.trait,
            signed(each.value, decimals_for(each.lo, each.hi)),
            interval(each.lo, each.hi, decimals_for(each.lo, each.hi)),
            p_value(each.p),
            plain(each.null_largest, 2),
            "yes" if each.exceeds else "no",
        ]
        for each in unnamed.steered[:_TRAITS]
    ]
    return Table(
        "The base, steered with that difference",
        f"Layer {unnamed.steered_layer}’s mean difference, times {plain(unnamed.steered_scale, 1)}, added to the base: "
        "which traits it moves, against null directions of the same length.",
        ["trait", "shift", "interval", "p (BH)", "null up to", "beyond every null"],
        rows,
        ["shift", "p (BH)", "null up to"],
    )


def _tokens(unnamed: Unnamed) -> Table:
    rows = [
        [f"“{each.token}”", _points(each.change), f"{_points(each.lo)} to {_points(each.hi)}", p_value(each.p)]
        for each in unnamed.tokens
    ]
    return Table(
        "Tokens that moved most",
        "Change of their mean probability in answers to unrelated prompts, in percentage points.",
        ["token", "change", "interval", "p, all tokens"],
        rows,
        ["change", "p, all tokens"],
    )


def _points(change: float) -> str:
    return signed(100 * change, 3)


def _clusters(unnamed: Unnamed) -> Table:
    rows = [
        [
            " · ".join(each.prompts[:_PROMPTS]),
            f"{each.size}",
            f"{each.kl.value:.2g}",
            f"{each.beyond:+.2g}",
            p_value(each.p),
        ]
        for each in unnamed.clusters
    ]
    return Table(
        "Prompts on which the models differ most",
        "Clusters of similar prompts, named by those nearest to the centre; KL in nats a token.",
        ["prompts", "size", "KL", "beyond the others", "p (BH)"],
        rows,
        ["size", "KL", "beyond the others", "p (BH)"],
    )


def _quoted(tokens: Sequence[str]) -> str:
    return ", ".join(f"“{token.strip()}”" for token in tokens[:6])
