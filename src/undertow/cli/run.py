"""`undertow run` and `undertow plan`: run an experiment, or show its cost.

The printed verdict and the exit code come from the same results.

    undertow plan --preset digits
    undertow run --preset digits --seeds 0,1,2 --json
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from undertow.cli.device import Device, placed
from undertow.cli.verdict import exit_code, say_verdict
from undertow.config.engine import Engine

if TYPE_CHECKING:
    from undertow.config.experiment import Experiment
    from undertow.experiment import Plan
    from undertow.results import Effect, Results

Sets = Annotated[list[str] | None, Parameter(name="--set", metavar="KEY=VALUE")]
Seeds = Annotated[str | None, Parameter(metavar="N,N,...")]
Runs = Annotated[Path, Parameter(name=["--runs", "--out"])]
Preset = Annotated[str | None, Parameter(metavar="NAME")]
Recipe = Annotated[str | None, Parameter(metavar="FILE|PRESET")]


def run(
    spec: Path | None = None,
    /,
    *,
    preset: Preset = None,
    runs: Runs = Path("runs"),
    seeds: Seeds = None,
    set_: Sets = None,
    recipe: Recipe = None,
    executor: Annotated[str, Parameter(metavar="NAME")] = "in-process",
    engine: Engine | None = None,
    device: Device = "auto",
    dry_run: bool = False,
    strict: bool = False,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Run an experiment and print whether a hidden trait passed to the student.

        undertow run --preset digits

    The command does only the steps that are missing. If a run was interrupted, the same command resumes it.

    Args:
        spec: Experiment file (YAML).
        preset: Experiment that ships with Undertow, instead of a file. `undertow presets` lists them.
        runs: Folder for run folders.
        seeds: Seeds instead of the file's, such as 0,1,2.
        set_: A value instead of the file's, such as student.epochs=2. Can be repeated.
        recipe: Recipe of the students' training: a trainer's file or a preset. The file's other keys take its place.
        executor: What runs the steps. `undertow doctor` lists what is installed.
        engine: How models are computed: by the fast pass, by transformers (generic), or by transformers with one text
            a row (rows). Default: what the file says, or the fastest that is right for the model.
        device: Where models are put: auto (a GPU where there is one), cpu, cuda, cuda:1, or balanced (over all GPUs, by
            accelerate; not tested).
        dry_run: Print the plan and run nothing, like `undertow plan`.
        strict: Exit with 1 instead of 4 when the result is inconclusive.
        json: Print results.json instead of a summary.
        quiet: Show no progress.
    """
    from undertow import experiment
    from undertow.cli.choice import choose
    from undertow.cli.console import console_progress
    from undertow.cli.show import write
    from undertow.experiment.executors import check_executor

    chosen = choose(spec, preset, [*(set_ or []), *([] if engine is None else [f"engine={engine}"])], seeds, recipe)
    check_executor(chosen, executor)
    if dry_run:
        return _plan(chosen, runs, json)
    with placed(device), console_progress(quiet=quiet) as progress:
        outcome = experiment.run(chosen, root=runs, progress=progress, executor=executor)
    if json:
        write(outcome.results.to_json())
    else:
        _show(outcome.results, outcome.report)
    return exit_code(outcome.results.verdict.status, strict=strict)


def plan(
    spec: Path | None = None,
    rows: Path | None = None,
    /,
    *,
    preset: Preset = None,
    runs: Runs = Path("runs"),
    seeds: Seeds = None,
    set_: Sets = None,
    recipe: Recipe = None,
    student: str = "embedded/smollm2-135m",
    traits: Annotated[list[str] | None, Parameter(name=["--trait", "--traits"], metavar="NAME")] = None,
    json: bool = False,
) -> int:
    """Show what a run, scan, audit or mitigation will take, before it starts.

        undertow plan --preset digits
        undertow plan scan rows.jsonl --student hf/FOLDER --recipe lora-sft

    Of a run it shows the steps, the cost and the smallest detectable effect. Of a scan, an audit or a mitigation it
    shows memory and time, from the model's config alone.

    Args:
        spec: Experiment file (YAML); or one of the words scan, audit and mitigate.
        rows: Dataset of the scan or mitigation.
        preset: Experiment that ships with Undertow, instead of a file. `undertow presets` lists them.
        runs: Folder for run folders. Steps that are finished there are not planned again.
        seeds: Seeds instead of the file's, such as 0,1,2.
        set_: A value instead of the file's, such as student.epochs=2. Can be repeated.
        recipe: Recipe of the students' training: a trainer's file or a preset. The file's other keys take its place.
        student: Base of a scan, an audit or a mitigation.
        traits: Entry of the panel that is measured, or a YAML file of yours. Can be repeated. Default: all shipped
            traits.
        json: Print the plan as JSON.
    """
    from undertow.cli.choice import choose
    from undertow.cli.forecast import VERBS, show_forecast
    from undertow.errors import InputError

    if spec is not None and str(spec) in VERBS and not spec.exists():
        return show_forecast(str(spec), rows, student, recipe, traits, json=json)
    if rows is not None:
        raise InputError("belongs to plan scan and plan mitigate", str(rows), "Leave it out.")
    return _plan(choose(spec, preset, set_ or [], seeds, recipe), runs, json)


def _plan(chosen: Experiment, runs: Path, json: bool) -> int:
    from undertow import experiment
    from undertow.cli.show import write

    made = experiment.plan(chosen, root=runs)
    if json:
        write(made.model_dump_json(indent=1) + "\n")
    else:
        _show_plan(made)
    return 0


def _show(results: Results, report: Path) -> None:
    from undertow.cli.show import say, table
    from undertow.report.hidden import sentence

    say_verdict(results)
    if results.effects:
        say()
        heads = ["effect", "value", _level(results), "unit", "p", "p (Holm)", "seeds"]
        table(heads, [_effect(each) for each in results.effects], right=[heads[1], *heads[4:]])
        if any(each.primary for each in results.effects):
            say("* the verdict rests on this effect")
    _show_times(results)
    for each in results.hidden:
        say(sentence(each))
    say()
    say(f"report: {report}")


def _level(results: Results) -> str:
    from undertow.report.words import level_name

    names = {level_name(each.method) for each in results.effects}
    return names.pop() if len(names) == 1 else "interval"


def _effect(effect: Effect) -> list[str]:
    from undertow.report.words import decimals_for, interval, p_value, signed

    decimals = decimals_for(effect.lo, effect.hi)
    return [
        effect.name + (" *" if effect.primary else ""),
        signed(effect.value, decimals),
        interval(effect.lo, effect.hi, decimals),
        effect.unit,
        *(p_value(p).removeprefix("p = ").removeprefix("p ") for p in (effect.p, effect.p_adjusted)),
        str(effect.seeds),
    ]


def _show_times(results: Results) -> None:
    """Print how many times as often, and whom the intervals speak of."""
    from undertow.cli.show import say, table
    from undertow.report.often import elevation_text, has_times, ratio_text
    from undertow.report.words import percent

    if not has_times(results.effects):
        return
    heads = ["effect", "base", "control", "students", "times as often"]
    rows: list[list[str]] = []
    for effect in results.effects:
        for name, found in ((effect.name, effect.times), (f"{effect.name}, sampled", effect.sampled_times)):
            if found is not None:
                shares = map(percent, (found.base_share, found.contrast_share, found.share))
                rows.append([name, *shares, ratio_text(found) or "too seldom"])
    say()
    table(heads, rows, right=heads[1:4])
    methods = [each.times.ratio.method for each in results.effects if each.times and each.times.ratio]
    for method in dict.fromkeys(methods):
        say(f"times as often: {method}")
    for each in results.sampled:
        if each.named is not None:
            say(f"sampled: {each.arm} names any candidate in {percent(each.named.value)} of {each.n:,} answers")
    if results.elevation is not None:
        say(elevation_text(results.elevation))


def _show_plan(plan: Plan) -> None:
    from undertow.cli.show import byte_size, say, table
    from undertow.report.words import duration, plural

    done = sum(step.state == "done" for step in plan.steps)
    say(f"{plan.name}: {plural(len(plan.steps), 'step')}, {done:,} done, in {plan.folder}", style="bold")
    if plan.steps:
        say()
        heads = ["step", "kind", "state", "time"]
        table(
            heads,
            [
                [step.label, step.kind, "done" if step.state == "done" else "to do", duration(step.seconds)]
                for step in plan.steps
            ],
            right=["time"],
        )
    say()
    left = f", {duration(plan.seconds_left)} of it left" if done else ""
    say(f"time    {duration(plan.seconds)}{left} ({plan.speed_says})")
    say(f"tokens  {plan.tokens_written:,} written by teachers, {plan.tokens_trained:,} trained on by students")
    say(f"disk    {byte_size(plan.disk_bytes)}")
    sees = "not known" if plan.smallest_effect is None else f"{plan.smallest_effect:.3g} {plan.unit}"
    say(f"power   smallest effect {sees}: {plan.power_says}")
    for note in plan.notes:
        say(f"note    {note}")
