"""Fuzz every reader for a while: a process a target, so that memory, time and a crash are each target's own.

    python -m fuzz --seconds 600            all targets share the time
    python -m fuzz --target spec --seconds 60
    python -m fuzz --target spec --again FILE

A find ends its target, is kept in fuzz/finds/ and makes the exit code 1. What was learnt stays in fuzz/corpus/.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
FINDS: Final = HERE / "finds"
CORPUS: Final = HERE / "corpus"
_MEMORY_MB: Final = 2048
_HANG_SECONDS: Final = 20


def main() -> int:
    """Fuzz, and say what was found."""
    words = argparse.ArgumentParser(prog="python -m fuzz", description=(__doc__ or "").splitlines()[0])
    words.add_argument("--seconds", type=int, default=600)
    words.add_argument("--target", action="append")
    words.add_argument("--again", type=Path, help="an input that was found, to be run once")
    words.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    asked = words.parse_args()
    if asked.inside:  # before anything of Undertow is imported: what is to be watched is marked by its import
        return _inside(asked.target[0], asked.seconds)
    from fuzz.targets import TARGETS

    chosen: list[str] = asked.target or list(TARGETS)
    unknown = [name for name in chosen if name not in TARGETS]
    if unknown:
        words.error(f"no target is called {unknown[0]!r}; known: {', '.join(TARGETS)}")
    if asked.again:
        TARGETS[chosen[0]](asked.again.read_bytes())
        return 0
    failed = [name for name in chosen if _outside(name, max(1, asked.seconds // len(chosen)))]
    print(f"finds in: {', '.join(failed)} (see {FINDS})" if failed else f"{len(chosen)} targets, no find")
    return 1 if failed else 0


def _outside(name: str, seconds: int) -> bool:
    print(f"== {name}, {seconds} s", flush=True)
    command = [sys.executable, "-m", "fuzz", "--inside", "--target", name, "--seconds", str(seconds)]
    done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, errors="replace", check=False)
    shown = done.stderr.splitlines() + done.stdout.splitlines()
    print("\n".join(shown[-40:] if done.returncode else [line for line in shown if "DONE" in line]), flush=True)
    return done.returncode != 0


def _inside(name: str, seconds: int) -> int:
    import atheris

    with atheris.instrument_imports(include=["undertow", "yaml", "json"]):
        from fuzz.seeds import WORDS, seeds
        from fuzz.targets import LONGEST, TARGETS

        if name.endswith("_folder"):
            from fuzz.model_folders import prepare

            prepare()  # not within the first input's time
    corpus = CORPUS / name
    corpus.mkdir(parents=True, exist_ok=True)
    FINDS.mkdir(exist_ok=True)
    for place, data in enumerate(seeds(name)):
        (corpus / f"seed-{place}").write_bytes(data)
    words = CORPUS / "words.txt"
    words.write_text("".join(f'"{word.replace(chr(92), chr(92) * 2)}"\n' for word in WORDS))
    options = (
        f"-max_total_time={seconds}",
        f"-timeout={_HANG_SECONDS}",
        f"-rss_limit_mb={_MEMORY_MB}",
        f"-max_len={LONGEST}",
        f"-dict={words}",
        f"-artifact_prefix={FINDS}/{name}-",
    )
    atheris.Setup([sys.argv[0], *options, str(corpus)], TARGETS[name])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
