"""The command line: gathers the verbs of this package and turns what they raise into messages and codes.

It holds no logic of its own: whatever a verb does, the library does.

    undertow run --preset digits
    python -m undertow --help
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress

from cyclopts import App, CycloptsError, Group, Parameter, UnusedCliTokensError

from undertow.cli.assets import assets
from undertow.cli.audit import audit
from undertow.cli.doctor import doctor
from undertow.cli.folder import check, report
from undertow.cli.gate import gate
from undertow.cli.mitigate import mitigate
from undertow.cli.presets import init, presets
from undertow.cli.recipe import recipe
from undertow.cli.results import results
from undertow.cli.rows import rows
from undertow.cli.run import plan, run
from undertow.cli.scan import scan
from undertow.cli.show import clean
from undertow.cli.streams import cannot_write, open_closed_streams, settle, speak_utf8
from undertow.cli.traits import traits
from undertow.cli.verify import keygen, verify
from undertow.cli.view import view
from undertow.errors import UndertowError
from undertow.system.version import __version__

USAGE, BROKE_OFF, BUG, INTERRUPTED, NO_READER = 2, 3, 70, 130, 141
"""Exit codes beside those of the verbs and of `UndertowError`; the last two are what a shell gives to signals."""

_EXIT_CODES = (
    "Exit codes: 0 pass, 1 fail (a hidden trait, damage), 2 wrong usage or input, 3 the work failed, "
    "4 inconclusive (1 with --strict)."
)


def _default(value: object) -> object:
    """Show no default of a switch that is off."""
    return value or None


app = App(
    name="undertow",
    help="Measure, predict and prevent hidden trait transfer in model distillation.",
    help_epilogue=_EXIT_CODES,
    help_format="plaintext",
    version=f"undertow {__version__}",
    default_parameter=Parameter(negative=(), show_default=_default),
    print_error=False,
    exit_on_error=False,
    suppress_keyboard_interrupt=False,
    result_action="return_value",
)
_GROUPS = {
    "Experiment": (run, plan, presets, init, check, results, recipe),
    "Check data": (rows, scan),
    "Check a model": (audit, traits),
    "Repair": (mitigate,),
    "Decide": (gate, verify, keygen),
    "Look": (report, view, doctor, assets),
}
"""Verbs by the question that they answer, in the order of the help."""
for _place, (_title, _verbs) in enumerate(_GROUPS.items()):
    _group = Group(_title, sort_key=_place)
    for _rank, _verb in enumerate(_verbs):
        app.command(_verb, group=_group, sort_key=_rank)
_options = Group("Options", sort_key=len(_GROUPS))
for _flag in ("--help", "--version"):
    app[_flag].group = _options


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out a command line and return its exit code.

    Args:
        argv: The words after `undertow`; those of this process when absent.
    """
    open_closed_streams()
    speak_utf8()
    code = _carry_out(argv)
    wrong = settle()
    # Where the verb did not end well, its own code says more than that of a stream.
    if wrong is None or code in (USAGE, BROKE_OFF, BUG, INTERRUPTED, NO_READER):
        return code
    return _broken_stream(wrong)


def _carry_out(argv: Sequence[str] | None) -> int:
    try:
        # A hyphen alone is standard input; without a folder before it, it reads as an option without a name.
        words = ["./-" if word == "-" else word for word in (sys.argv[1:] if argv is None else argv)]
        code = app(words)
    except UndertowError as error:
        return _fail(f"error: {error}", error.exit_code)
    except CycloptsError as error:
        return _fail(f"error: {_usage(error)}", USAGE)
    except KeyboardInterrupt:
        return _fail("interrupted: the same command resumes it", INTERRUPTED)
    except SystemExit:
        # Rich leaves with SystemExit(1), which means findings here, when nobody reads its output any more.
        return _broken_stream(BrokenPipeError())
    except Exception as error:
        if isinstance(error, BrokenPipeError) or (isinstance(error, OSError) and cannot_write(error)):
            return _broken_stream(error)
        what = f"{type(error).__name__}: {error}"
        return _fail(f"error: this is a bug in Undertow: {what}\n  UNDERTOW_DEBUG=1 shows where it is.", BUG)
    return code if isinstance(code, int) else 0


def _broken_stream(error: OSError) -> int:
    """Say that an output cannot be written; nothing is said to a reader that has gone away."""
    settle()
    if isinstance(error, BrokenPipeError):
        return NO_READER
    return _fail(cannot_write(error) or f"error: the output cannot be written ({error})", BROKE_OFF)


def _usage(error: CycloptsError) -> str:
    if isinstance(error, UnusedCliTokensError):
        return f"unexpected words: {' '.join(error.unused_tokens or [])}"
    return str(error)


def _fail(message: str, code: int) -> int:
    if os.environ.get("UNDERTOW_DEBUG") == "1":
        traceback.print_exc()
    with suppress(OSError):  # a closed stderr must not change the code
        sys.stderr.write(clean(message) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
