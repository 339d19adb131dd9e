"""Mutation tests: change the source a little at random, and see whether a test fails.

The changes are mutmut's operators, each applied to one place (numbers, strings, comparisons, arguments left out
and the like). Annotations, decorators, imports and docstrings are left alone, and a string is changed in one way
only. Each mutant runs, in a fork of this process, the tests that reach its statement, the quickest first.

    python tests/mutants.py stats --sample 150 --seed 1

Exit code: 0, or 2 where the tests fail without any change.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import importlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import libcst as cst
import pytest
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators

ROOT = Path(__file__).resolve().parent.parent
PACKAGES: dict[str, tuple[list[str], list[str]]] = {
    "stats": (["stats/*.py"], ["tests/stats"]),
    "data": (["data/*.py"], ["tests/data"]),
    "gate": (["gate/*.py", "config/policy.py"], ["tests/gate", "tests/config/test_policy.py"]),
}
"""What to change, below src/undertow, and the tests that should notice."""
SECONDS = 20.0
"""The longest that one test may take; a change may make a loop endless."""
MEMORY = 16 * 2**30


@dataclass(frozen=True)
class Mutant:
    """One changed file."""

    path: str
    first: int
    last: int
    """Lines of the statement that was changed; 0 where it runs on import."""
    words: bool
    """Whether the words of a message were changed, and nothing else."""
    source: str


@dataclass(frozen=True)
class Reach:
    """What the unchanged tests did."""

    seconds: dict[str, float]
    lines: dict[str, set[tuple[str, int]]]
    modules: list[str]


class _Finder(cst.CSTVisitor):
    """Collects the changes to the nodes of a module, with the statement that each is in."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self) -> None:
        self.changes: list[tuple[cst.CSTNode, cst.CSTNode, int, int, bool]] = []
        self._functions = 0
        self._statements: list[tuple[int, int]] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.SimpleStatementLine | cst.BaseCompoundStatement):
            place = self.get_metadata(PositionProvider, node)
            body = getattr(node, "body", None)
            last = place.end.line
            if isinstance(body, cst.BaseSuite):  # the head alone
                last = max(place.start.line, self.get_metadata(PositionProvider, body).start.line - 1)
            self._statements.append((place.start.line, last))
        if isinstance(node, cst.Annotation | cst.Decorator | cst.Import | cst.ImportFrom | cst.TypeAlias):
            return False
        if isinstance(node, cst.If) and isinstance(node.test, cst.Name) and node.test.value == "TYPE_CHECKING":
            return False
        if isinstance(node, cst.Expr) and isinstance(node.value, cst.SimpleString | cst.ConcatenatedString):
            return False
        for kind, operator in mutation_operators:
            if isinstance(node, kind):
                made = list(operator(node))
                for changed in made[:1] if isinstance(node, cst.BaseString) else made:
                    lines = self._statements[-1] if self._functions and self._statements else (0, 0)
                    words = isinstance(node, cst.SimpleString) and " " in node.value.strip("\"' ")
                    self.changes.append((node, changed, *lines, words))
        self._functions += isinstance(node, cst.FunctionDef)
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        self._functions -= isinstance(original_node, cst.FunctionDef)
        if isinstance(original_node, cst.SimpleStatementLine | cst.BaseCompoundStatement):
            self._statements.pop()


def mutants_of(path: Path) -> list[Callable[[], Mutant | None]]:
    """Return what makes each mutant of a file; None where the change is no Python."""
    wrapper = MetadataWrapper(cst.parse_module(path.read_text(encoding="utf-8")))
    finder = _Finder()
    wrapper.visit(finder)

    def make(node: cst.CSTNode, changed: cst.CSTNode, first: int, last: int, words: bool) -> Mutant | None:
        try:
            source = cast(cst.Module, wrapper.module.deep_replace(node, changed)).code
            compile(source, str(path), "exec")
        except (SyntaxError, cst.CSTValidationError):
            return None
        return Mutant(str(path.relative_to(ROOT / "src")), first, last, words, source)

    return [partial(make, *change) for change in finder.changes]


class _Watch:
    """A pytest plugin that notes which lines of some files each test runs, and how long it takes."""

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files
        self.seconds: dict[str, float] = {}
        self.lines: dict[str, set[tuple[str, int]]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        seen = self.lines.setdefault(item.nodeid, set())

        def local(frame: Any, event: str, _: Any) -> Any:
            seen.add((self.files[frame.f_code.co_filename], frame.f_lineno))
            return local

        def calls(frame: Any, event: str, _: Any) -> Any:
            return local if frame.f_code.co_filename in self.files else None

        start = time.monotonic()
        sys.settrace(calls)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            self.seconds[item.nodeid] = time.monotonic() - start


class _Choose:
    """A pytest plugin that runs the named tests in this order."""

    def __init__(self, names: Sequence[str]) -> None:
        self.place = {name: at for at, name in enumerate(names)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted((item for item in items if item.nodeid in self.place), key=lambda i: self.place[i.nodeid])


def _in_fork(work: Callable[[], Any], seconds: float) -> Any:
    """Return what `work` returns in a fork, quietly; None where it dies or takes longer."""
    with tempfile.TemporaryFile() as answer:
        child = os.fork()
        if child == 0:
            os.setsid()
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            try:
                answer.write(json.dumps(work()).encode())
                answer.flush()
            finally:
                os._exit(0)
        end = time.monotonic() + seconds
        while os.waitpid(child, os.WNOHANG)[0] == 0:
            if time.monotonic() > end:
                os.killpg(child, signal.SIGKILL)
                os.waitpid(child, 0)
                break
            time.sleep(0.01)
        answer.seek(0)
        text = answer.read()
    return json.loads(text) if text else None


def _pytest(tests: Sequence[str], plugin: object) -> int:
    """Run tests without a cache; examples that fail are not made smaller, which takes most of the time."""
    from hypothesis import HealthCheck, Phase, settings

    phases = (Phase.explicit, Phase.generate)
    slow = (HealthCheck.too_slow,)
    settings.register_profile(
        "mutants", phases=phases, derandomize=True, database=None, suppress_health_check=slow, deadline=None
    )
    settings.load_profile("mutants")
    quick = "not slow and not gpu and not e2e and not browser"
    options = ["-x", "-q", "-p", "no:cacheprovider", "--no-header", "-m", quick, f"--timeout={SECONDS}"]
    return int(pytest.main([*options, *tests], plugins=[plugin]))


def reach_of(tests: Sequence[str], files: dict[str, str]) -> Reach | None:
    """Run the unchanged tests; None where one fails."""

    def work() -> dict[str, Any] | None:
        watch = _Watch(files)
        before = set(sys.modules)
        if _pytest(tests, watch) != 0:
            return None
        mine = ("undertow", "test_", "conftest", "tiny_", "stored_results", "browser")
        new = [name for name in sys.modules if name not in before and not name.startswith(mine)]
        return {"seconds": watch.seconds, "lines": {k: sorted(v) for k, v in watch.lines.items()}, "modules": new}

    answer = _in_fork(work, 600)
    if answer is None:
        return None
    lines = {name: {(path, line) for path, line in seen} for name, seen in answer["lines"].items()}
    return Reach(answer["seconds"], lines, answer["modules"])


def killed(mutant: Mutant, reach: Reach, tests: Sequence[str], source: Path) -> bool:
    """Tell whether a test fails, ends the process, or does not end, with this mutant in place."""
    inside = {(mutant.path, line) for line in range(mutant.first, mutant.last + 1)}
    names = sorted(reach.seconds, key=lambda name: reach.seconds[name])
    near = [name for name in names if reach.lines[name] & inside] if mutant.first else names
    # Tests that reach nothing here may run the package in a process of their own.
    apart = [name for name in names if not reach.lines[name]]
    chosen = [*near, *(name for name in apart if name not in near)] if near else names
    target = source / mutant.path
    original = target.read_text(encoding="utf-8")
    target.write_text(mutant.source, encoding="utf-8")
    limit = 3 * sum(reach.seconds[name] for name in chosen) + 2 * SECONDS

    def work() -> int:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        return _pytest(tests, _Choose(chosen))

    try:
        return _in_fork(work, limit) != 0
    finally:
        target.write_text(original, encoding="utf-8")


def main() -> int:
    """Run a sample of a package's mutants and print the share killed and those that survived."""
    parser = argparse.ArgumentParser(description="Change the source at random and see whether a test fails.")
    parser.add_argument("package", choices=PACKAGES)
    parser.add_argument("--sample", type=int, default=150, help="mutants to try; 0 for all (default 150)")
    parser.add_argument("--seed", type=int, default=1, help="chooses the sample (default 1)")
    parser.add_argument("--seconds", type=float, default=3600.0, help="start no mutant after this time")
    args = parser.parse_args()
    os.chdir(ROOT)
    sources, tests = PACKAGES[args.package]
    paths = [path for name in sources for path in sorted((ROOT / "src/undertow").glob(name))]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "src"
        shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
        sys.path.insert(0, str(source))
        os.environ |= {"PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(Path(folder) / "hypothesis")
        sys.dont_write_bytecode = True

        names = [str(path.relative_to(ROOT / "src")) for path in paths]
        reach = reach_of(tests, {str(source / name): name for name in names})
        for name in reach.modules if reach else ():  # once here, so that no fork imports them again
            with contextlib.suppress(Exception):
                importlib.import_module(name)
        unchanged = Mutant(names[0], 0, 0, False, paths[0].read_text(encoding="utf-8"))
        if reach is None or killed(unchanged, reach, tests, source):
            print("error: the tests fail without any change", file=sys.stderr)
            return 2

        everything = [make for path in paths for make in mutants_of(path)]
        order = random.Random(args.seed).sample(everything, len(everything))
        counts: Counter[tuple[bool, bool]] = Counter()
        start = time.monotonic()
        for make in order:
            if counts.total() == (args.sample or len(order)) or time.monotonic() - start > args.seconds:
                break
            mutant = make()
            if mutant is None:
                continue
            dead = killed(mutant, reach, tests, source)
            counts[mutant.words, dead] += 1
            if not dead:
                original = (ROOT / "src" / mutant.path).read_text(encoding="utf-8")
                kind = " (words)" if mutant.words else ""
                print(f"survived{kind}: {mutant.path}:{_diff(original, mutant.source)}", flush=True)
    report(len(everything), args.seed, counts)
    return 0


def _diff(before: str, after: str) -> str:
    """Return the first changed line's number and the lines that differ."""
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm=""))[2:]
    number = lines[0].split()[1].lstrip("-").split(",")[0]
    return "\n    ".join([number, *(line for line in lines[1:] if not line.startswith("@@"))])


def report(total: int, seed: int, counts: Counter[tuple[bool, bool]]) -> None:
    """Print the share killed with its interval, of all and of those that change more than words."""
    from undertow.stats import proportion

    for what, groups in (("all", (False, True)), ("more than words", (False,))):
        dead, tried = sum(counts[g, True] for g in groups), sum(counts[g, d] for g in groups for d in (False, True))
        share = proportion(dead, tried)
        print(f"{what}: {dead} of {tried} killed, {share.value:.1%} ({share.lo:.1%} to {share.hi:.1%})")
    print(f"seed {seed}, of {total} mutants there are")


if __name__ == "__main__":
    sys.exit(main())
