"""The progress display: bar or lines, what a stranger's text may do to it, and the time left."""

import io
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from undertow.cli.console import Bar, Lines, TimeLeft, as_time_left, console_progress
from undertow.system.progress import Silent


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def screen(width: int = 100) -> Console:
    return Console(file=Screen(), force_terminal=True, width=width)


def log() -> Console:
    return Console(file=io.StringIO(), width=40)


def text_of(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def seen(console: Console) -> str:
    return Text.from_ansi(text_of(console)).plain


# Bar or lines -----------------------------------------------------------------------------------------------


def test_quiet_writes_nothing_at_all():
    console = screen()
    with console_progress(quiet=True, console=console) as progress:
        progress.update("rows", 0.5)
        progress.note("kept")
    assert isinstance(progress, Silent)
    assert text_of(console) == ""


@pytest.mark.usefixtures("watched")
def test_terminal_gets_a_bar_with_stage_percentage_and_time_left():
    console, clock = screen(), Clock()
    with console_progress(console=console, clock=clock) as progress:
        assert isinstance(progress, Bar)
        progress.update("training", 0.0)
        clock.now += 60
        progress.update("training", 0.25, "step 12 of 48")
        progress.note("student-s0 is made again")
    shown = seen(console)
    assert "training: step 12 of 48" in shown
    assert "25%" in shown
    assert "3 min 00 s left" in shown
    assert "student-s0 is made again" in shown


@pytest.mark.usefixtures("watched")
def test_log_gets_plain_lines(monkeypatch: pytest.MonkeyPatch):
    # FORCE_COLOR makes rich call a file a terminal; a bar would fill it with control codes.
    monkeypatch.setenv("FORCE_COLOR", "1")
    console = log()
    with console_progress(console=console) as progress:
        assert isinstance(progress, Lines)
        progress.update("writing rows", 0.25)
    assert text_of(console) == "[ 25%] writing rows\n"


@pytest.mark.usefixtures("watched")
def test_ci_gets_plain_lines_even_on_a_terminal(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CI", "true")
    with console_progress(console=screen()) as progress:
        assert isinstance(progress, Lines)


@pytest.mark.usefixtures("watched")
def test_dumb_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TERM", "dumb")
    with console_progress(console=screen()) as progress:
        assert isinstance(progress, Lines)


@pytest.mark.usefixtures("watched")
def test_bar_is_closed_and_the_cursor_is_back_after_an_error():
    console = screen()
    with pytest.raises(KeyboardInterrupt), console_progress(console=console):
        raise KeyboardInterrupt
    assert text_of(console).rindex("\x1b[?25h") > text_of(console).rindex("\x1b[?25l")


def test_default_writes_to_stderr_only():
    script = (
        "from undertow.cli.console import console_progress\n"
        "with console_progress() as progress: progress.update('rows', 0.5)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert "rows" in done.stderr


def test_rich_is_not_imported_before_it_is_needed():
    script = "import sys, undertow.cli.console; sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


# Lines ------------------------------------------------------------------------------------------------------


def test_one_line_per_stage_change_and_one_every_ten_seconds():
    console, clock = log(), Clock()
    lines = Lines(console, clock)
    for second in range(60):
        lines.update("rows" if second < 30 else "training", second / 60)
        clock.now += 1
    stages = [line.split("] ")[1].split()[0] for line in text_of(console).splitlines()]
    assert stages == ["rows"] * 3 + ["training"] * 3


def test_a_hundred_stages_found_done_give_few_lines_and_the_last_is_shown():
    console, clock = log(), Clock()
    with console_progress(console=console, clock=clock) as progress:
        for number in range(100):
            progress.update(f"step {number}", (number + 1) / 100)
            clock.now += 0.001
    assert text_of(console).splitlines() == ["[  1%] step 0", "[100%] step 99 (0 s left)"]


def test_a_note_is_never_held_back():
    console = log()
    lines = Lines(console, Clock())
    for number in range(5):
        lines.note(f"note {number}")
    assert text_of(console).splitlines() == [f"note {number}" for number in range(5)]


def test_a_long_line_is_not_broken_up():
    console = log()
    Lines(console, Clock()).note("x" * 300)
    assert text_of(console) == "x" * 300 + "\n"


# Text from strangers ----------------------------------------------------------------------------------------

EVIL = "[red]owl[/red] [/] \x1b[2J\x1b]0;title\x07 \r\n :smile: [link=http://x]"


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("make", [screen, log])
def test_markup_and_control_codes_in_text_stay_text(make):  # pyright: ignore
    console = make()
    with console_progress(console=console, clock=Clock()) as progress:
        progress.update(EVIL, 0.5, EVIL)
        progress.note(EVIL)
    raw = text_of(console)
    assert "\x1b[2J" not in raw
    assert "\x1b]0;" not in raw
    assert "\x07" not in raw
    assert "[red]owl[/red] [/]" in seen(console)
    assert ":smile:" in seen(console)


# Time left --------------------------------------------------------------------------------------------------


def feed(estimate: TimeLeft, pairs: list[tuple[float, float]]) -> None:
    for now, fraction in pairs:
        estimate.update(fraction, now)


def test_steady_work_is_extrapolated_exactly():
    estimate = TimeLeft()
    feed(estimate, [(t, t / 600) for t in range(121)])
    assert estimate.left(120) == pytest.approx(480)


def test_nothing_is_said_before_any_work_and_at_the_end_nothing_is_left():
    estimate = TimeLeft()
    assert estimate.left(0) is None
    estimate.update(0.0, 0)
    assert estimate.left(5) is None
    estimate.update(1.0, 10)
    assert estimate.left(11) == 0


@pytest.mark.parametrize("steps", [1, 5, 500])
def test_steps_found_done_at_the_start_do_not_count_as_speed(steps: int):
    estimate = TimeLeft()
    estimate.update(0.0, 0.0)
    feed(estimate, [(0.01 * n, 0.6 * n / steps) for n in range(1, steps + 1)])
    begun = 0.01 * steps
    feed(estimate, [(begun + 10 * n, 0.6 + 0.01 * n) for n in range(1, 4)])
    assert estimate.left(begun + 30) == pytest.approx(370, rel=0.01)


def test_steps_found_done_in_the_middle_do_not_count_as_speed():
    estimate = TimeLeft()
    feed(estimate, [(t, t / 600) for t in range(0, 61, 5)])
    feed(estimate, [(60.1, 0.4), (60.2, 0.7)])
    feed(estimate, [(60.2 + t, 0.7 + t / 600) for t in range(5, 31, 5)])
    assert estimate.left(90.2) == pytest.approx(0.25 * 600, rel=0.02)


def test_work_reported_in_bursts_counts_in_full():
    estimate = TimeLeft()
    for batch in range(20):
        for row in range(16):
            estimate.update((batch * 16 + row) / 3200, batch * 5 + row * 1e-4)
    assert estimate.left(95.002) == pytest.approx(1000 - 95, rel=0.1)


def test_the_estimate_follows_a_change_of_speed():
    estimate = TimeLeft()
    feed(estimate, [(t, t / 1000) for t in range(301)])
    feed(estimate, [(300 + t, 0.3 + t / 4000) for t in range(1, 301)])
    assert estimate.left(600) == pytest.approx((1 - 0.375) * 4000, rel=0.02)


def test_between_updates_it_counts_down_and_a_late_update_raises_it():
    estimate = TimeLeft()
    feed(estimate, [(10 * n, 0.1 * n / 6) for n in range(4)])
    at_update = estimate.left(30)
    assert at_update == pytest.approx(570)
    assert estimate.left(38) == pytest.approx(at_update - 8)
    late = estimate.left(130)
    assert late is not None
    assert late > at_update


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 1)), max_size=30), st.floats(0, 1e4))
def test_any_history_gives_a_time_that_is_no_nonsense(history: list[tuple[float, float]], wait: float):
    estimate, now = TimeLeft(), 0.0
    for seconds, fraction in history:
        now += seconds
        estimate.update(fraction, now)
    left = estimate.left(now + wait)
    if left is None:
        assert as_time_left(left) == ""
    else:
        assert 0 <= left < float("inf")
        assert as_time_left(left).endswith("left")


def test_durations_read_well():
    assert as_time_left(None) == ""
    assert as_time_left(59.4) == "59 s left"
    assert as_time_left(59.6) == "1 min 00 s left"
    assert as_time_left(185) == "3 min 05 s left"
    assert as_time_left(7800) == "2 h 10 min left"


@pytest.mark.usefixtures("watched")
def test_updates_are_cheap_enough_for_a_tight_loop():
    with console_progress(console=screen()) as progress:
        started = time.perf_counter()
        for number in range(2000):
            progress.update("rows", number / 2000)
        assert time.perf_counter() - started < 2
