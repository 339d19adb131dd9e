"""The progress of a run on a terminal: one bar with the stage, the percentage and the time left.

Where nobody watches (stderr is no terminal, or CI is set) it writes plain lines, few enough to read in a log.
Everything goes to stderr, so that stdout holds the answer alone. It knows nothing of what the stages are.

    with console_progress(quiet=False) as progress:
        run(spec, progress=progress)
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from undertow.system.progress import Progress, Silent

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress

Clock = Callable[[], float]

LINE_EVERY: Final = 10.0
"""Seconds between two plain lines of one stage."""
STAGE_EVERY: Final = 1.0
"""Seconds between two plain lines at most, so that a hundred steps found done do not make a hundred lines."""
_HALF_LIFE = 30.0
"""Seconds after which a measured speed counts half: long against a batch, short against a run."""
_FOUND_DONE = 1 / 20
"""Fraction per second above which nothing was computed; a run that is over in 20 s needs no estimate."""
_NOTHING = 1e-9
"""Growth that is left to add up: a rounding error is no progress."""
_BURST = 0.01
"""Once real work was seen, a fast growth below this is work that was reported in one go."""


@dataclass
class TimeLeft:
    """Estimates the time left from how fast the fraction has grown lately.

    The speed is (growth of the fraction) / (seconds), both summed with weights that halve every 30 s, so many
    small updates say the same as few large ones. Steps that an earlier run finished go by in no time: such
    jumps move the fraction but not the speed.
    """

    _at: float = 0.0
    _fraction: float = -1.0
    _growth: float = 0.0
    _seconds: float = 0.0
    _interval: float = 0.0
    """Seconds that the last growth took."""

    def update(self, fraction: float, now: float) -> None:
        """Take in that `fraction` (0 to 1) of the run is done at `now`, in seconds of a monotonic clock."""
        growth, seconds = fraction - self._fraction, now - self._at
        if self._fraction < 0 or growth < 0:
            self._at, self._fraction = now, fraction
        elif growth > _NOTHING:
            self._at, self._fraction = now, fraction
            fast = growth > _FOUND_DONE * seconds
            if not fast or (self._seconds and growth < _BURST):
                keep = 0.5 ** (seconds / _HALF_LIFE)
                self._growth = self._growth * keep + growth
                self._seconds = self._seconds * keep + seconds
                self._interval = seconds

    def left(self, now: float) -> float | None:
        """Return the seconds left, or None while there is too little to tell from."""
        if self._fraction >= 1:
            return 0.0
        if not self._seconds:
            return None
        # Between two updates it counts down; when the next one is late, the run is slower than was thought.
        since = now - self._at
        late = max(0.0, since - self._interval)
        return max(0.0, (1 - self._fraction) * (self._seconds + late) / self._growth - (since - late))


def as_time_left(seconds: float | None) -> str:
    """Put a time left into words: `45 s left`, `3 min 05 s left`, `2 h 10 min left`; empty when unknown."""
    if seconds is None:
        return ""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s left"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s left"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min left"


@dataclass
class Lines:
    """Writes one plain line at a change of stage, and one every few seconds within a stage."""

    console: Console
    clock: Clock = time.monotonic
    _time_left: TimeLeft = field(default_factory=TimeLeft)
    _shown: tuple[str, float] | None = None
    """Stage and time of the last line."""
    _owed: str = ""
    """The newest line that was held back."""

    def update(self, stage: str, fraction: float, detail: str = "") -> None:
        """Report that `fraction` of the run is done; see `undertow.system.progress.Progress`."""
        now = self.clock()
        self._time_left.update(fraction, now)
        after = [text for text in (detail, as_time_left(self._time_left.left(now))) if text]
        self._owed = f"[{_percent(fraction)}] {stage}" + (f" ({', '.join(after)})" if after else "")
        if self._shown is not None:
            wait = LINE_EVERY if stage == self._shown[0] else STAGE_EVERY
            if now - self._shown[1] < wait:
                return
        self._shown = (stage, now)
        self.close()

    def note(self, message: str) -> None:
        """Write the message as a line of its own."""
        self._print(message)

    def close(self) -> None:
        """Write the newest line if it was held back."""
        if self._owed:
            self._print(self._owed)
            self._owed = ""

    def _print(self, line: str) -> None:
        self.console.print(_clean(line), markup=False, highlight=False, emoji=False, soft_wrap=True)


@dataclass
class Bar:
    """Draws one bar for the whole run; notes scroll away above it."""

    console: Console
    clock: Clock = time.monotonic
    _time_left: TimeLeft = field(default_factory=TimeLeft)
    _bar: RichProgress = field(init=False)

    def __post_init__(self) -> None:
        self._bar = _rich_bar(self.console, lambda: as_time_left(self._time_left.left(self.clock())))
        self._task = self._bar.add_task("starting", total=1.0)
        self._bar.start()

    def update(self, stage: str, fraction: float, detail: str = "") -> None:
        """Move the bar to `fraction`; see `undertow.system.progress.Progress`."""
        self._time_left.update(fraction, self.clock())
        text = _clean(f"{stage}: {detail}" if detail else stage)
        self._bar.update(self._task, completed=min(max(fraction, 0.0), 1.0), description=text)

    def note(self, message: str) -> None:
        """Write the message above the bar."""
        self._bar.console.print(_clean(message), markup=False, highlight=False, emoji=False, soft_wrap=True)

    def close(self) -> None:
        """Leave the bar as it stands, and the cursor below it."""
        self._bar.stop()


@contextmanager
def console_progress(
    *, quiet: bool = False, console: Console | None = None, clock: Clock = time.monotonic
) -> Generator[Progress]:
    """Show how far a run is, in the way that suits where stderr goes.

    Args:
        quiet: Show nothing at all.
        console: Where to write; stderr when absent.
        clock: Seconds of a monotonic clock.
    """
    if quiet:
        yield Silent()
        return
    from rich.console import Console

    out = console or Console(stderr=True)
    shown = (Bar if _watched(out) else Lines)(out, clock)
    try:
        yield shown
    finally:
        shown.close()


def _watched(console: Console) -> bool:
    # Not console.is_terminal: FORCE_COLOR makes that true for a file, and a bar fills it with control codes.
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        return False
    return console.file.isatty() and not console.is_dumb_terminal


def _rich_bar(console: Console, time_left: Callable[[], str]) -> RichProgress:
    from rich import progress
    from rich.table import Column
    from rich.text import Text

    class Left(progress.ProgressColumn):
        """The time left, counted down between updates."""

        def render(self, task: progress.Task) -> Text:
            return Text(time_left())

    class Percent(progress.ProgressColumn):
        """Whole per cent, rounded down: 100% means done."""

        def render(self, task: progress.Task) -> Text:
            return Text(_percent(task.completed))

    return progress.Progress(
        progress.TextColumn(
            "{task.description}",
            markup=False,
            table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
        ),
        progress.BarColumn(bar_width=24),
        Percent(),
        Left(table_column=Column(no_wrap=True, min_width=15)),
        console=console,
        expand=True,
        refresh_per_second=4,
    )


def _percent(fraction: float) -> str:
    # A hair is added because 0.29 * 100 is 28.999...
    return f"{int(min(max(fraction, 0.0), 1.0) * 100 + 1e-9):3d}%"


def _clean(text: str) -> str:
    """Blank out control codes: stage and detail may hold what a model or a stranger's file said."""
    return "".join(char if char.isprintable() else " " for char in text)
