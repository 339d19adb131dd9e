"""What this machine offers to Undertow, and what is missing: `undertow doctor`.

Looks and measures for half a second; changes nothing, fetches nothing, and loads torch only if it is installed.

    for each in examine(): each.name, each.value, each.fix
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

Section = Literal["machine", "packages", "models and data", "registered", "calibrations"]


@dataclass(frozen=True)
class Finding:
    """One line of the examination."""

    section: Section
    name: str
    value: str
    fix: str = ""
    """What to do about it; empty where nothing is missing."""


def examine(folder: Path = Path()) -> list[Finding]:
    """Examine this machine.

    Args:
        folder: Where runs would be written; its free space is reported.
    """
    return [*_machine(folder), *_packages(), *_assets(), *_registered(), *_calibrations()]


def _machine(folder: Path) -> Iterator[Finding]:
    from undertow.store import environment

    described = environment()
    yield Finding("machine", "system", described["platform"])
    yield Finding("machine", "processor", f"{described['processor']}, {described['cores']} cores for this process")
    yield _memory()
    for name, path in (("disk, runs", folder), ("disk, cache", _cache())):
        free = shutil.disk_usage(_existing(path)).free
        fix = "Free some space: the embedded model takes 0.6 GB while it is made." if free < 2e9 else ""
        yield Finding("machine", name, f"{free / 1e9:.1f} GB free at {path.absolute()}", fix)
    if find_spec("torch") is None:
        yield Finding("machine", "device", "unknown without torch", "pip install 'undertow[local]'")
        return
    yield from _device()


def _memory() -> Finding:
    sizes: dict[str, float] = {}
    try:
        for line in Path("/proc/meminfo").read_text("ascii").splitlines():
            name, _, size = line.partition(":")
            sizes[name] = int(size.split()[0]) * 1024
        total, free = sizes["MemTotal"], sizes["MemAvailable"]
    except (OSError, ValueError, KeyError, IndexError):
        return Finding("machine", "memory", "unknown on this system")
    fix = "Close other programs: a full training step of the embedded model takes about 4 GB." if free < 4e9 else ""
    return Finding("machine", "memory", f"{free / 1e9:.1f} of {total / 1e9:.1f} GB available", fix)


def _device() -> Iterator[Finding]:
    import torch

    from undertow.models.precision import choose_precision, matrix_speed

    if torch.cuda.is_available():
        each = torch.cuda.get_device_properties(0)
        yield Finding("machine", "device", f"cuda: {each.name}, {each.total_memory / 1e9:.0f} GB")
    else:
        yield Finding("machine", "device", f"cpu, {torch.get_num_threads()} threads")
    choice = choose_precision()
    speeds = ", ".join(f"{name} {matrix_speed(name) / 1e9:.0f}" for name in ("float32", "bfloat16"))
    yield Finding(
        "machine",
        "precision",
        f"{choice.dtype}, because {choice.because} (billion operations a second, measured now: {speeds})",
    )


def _packages() -> Iterator[Finding]:
    yield Finding("packages", "undertow", _version("undertow") or "a checkout that is not installed")
    try:
        needs = metadata.requires("undertow") or []
    except metadata.PackageNotFoundError:  # what it needs stands in pyproject.toml alone
        needs = []
    for text in needs:
        needed = re.match(r"[A-Za-z0-9._-]+", text)
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", text)
        if needed is None:
            continue
        name, wanted = needed[0], text.partition(";")[0].strip()
        found = _version(name)
        install = f"pip install 'undertow[{extra[1]}]'" if extra else f"pip install '{wanted}'"
        of = f" (extra {extra[1]})" if extra else ""
        if found is None:
            yield Finding("packages", name + of, "not installed", install)
        elif not _fits(found, wanted):
            yield Finding("packages", name + of, f"{found}, but {wanted} is needed", install)
        else:
            yield Finding("packages", name + of, found)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _fits(found: str, wanted: str) -> bool:
    try:
        from packaging.requirements import Requirement
    except ImportError:  # comes with the local extra; without it presence is all that can be told
        return True
    return Requirement(wanted).specifier.contains(found, prereleases=True)


def _assets() -> Iterator[Finding]:
    from undertow.assets import ASSETS, SystemFiles, status

    for asset in ASSETS.values():
        now = status(asset)
        if now.ready:
            yield Finding("models and data", asset.name, f"ready, {now.bytes / 1e6:.0f} MB at {now.path}")
        else:
            if isinstance(asset.origin, SystemFiles):
                fix = f"apt-get install {asset.origin.package} (optional)"
            else:
                fix = asset.fetch_command
                if asset.licence.asks:
                    fix += " (optional; shows its licence without --agree)"
            yield Finding("models and data", asset.name, f"{now.state}: {now.because}", fix)


def _registered() -> Iterator[Finding]:
    """List what is known by name and where it comes from; plugins are loaded, so that those that fail are told."""
    from undertow.config.recipes.formats import FORMATS
    from undertow.domains.find import MAKERS
    from undertow.experiment.executors import EXECUTORS
    from undertow.judges.registry import JUDGE_MAKERS
    from undertow.mitigate.methods import MITIGATIONS
    from undertow.models.providers import PROVIDERS
    from undertow.scan.registry import BASELINES
    from undertow.teachers.registry import METHODS
    from undertow.traits.find import TRAIT_MAKERS

    every = (MAKERS, TRAIT_MAKERS, METHODS, PROVIDERS, JUDGE_MAKERS, BASELINES, MITIGATIONS, EXECUTORS, FORMATS)
    for registry in every:
        entries = registry.entries()
        by_source: dict[str, list[str]] = {}
        for each in entries:
            if not each.problem:
                by_source.setdefault(each.source, []).append(each.name)
        told = "; ".join(f"{', '.join(names)} ({source})" for source, names in by_source.items())
        yield Finding("registered", f"{registry.noun}s".replace("kind of traits", "kinds of trait"), told)
        for each in entries:
            if each.problem:
                package = each.source.partition(" ")[0]
                yield Finding(
                    "registered", f"{registry.noun} {each.name}", each.problem, f"Mend or uninstall {package}."
                )


def _calibrations() -> Iterator[Finding]:
    """List where the sizes of a scan are calibrated: elsewhere they decide nothing."""
    from undertow.scan.calibration import shipped

    for record in shipped():
        low, high = record.steps
        steps = f"{low:,} steps" if low == high else f"{low:,} to {high:,} steps"
        yield Finding(
            "calibrations",
            f"scan sizes, {record.tier}",
            f"{record.base.name}, {record.recipes.recipe.name}, {record.rows.domain}, {steps}",
        )


def _cache() -> Path:
    from undertow.assets import cache_dir

    return cache_dir()


def _existing(path: Path) -> Path:
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path
