"""`undertow doctor`: what this machine offers, and what is missing."""

from __future__ import annotations


def doctor(*, json: bool = False) -> int:
    """List this machine's device, memory, disk, packages and models, and what is missing.

        undertow doctor

    Args:
        json: Print the findings as JSON.
    """
    from dataclasses import asdict

    from undertow.cli.show import say, table, write
    from undertow.doctor import examine

    found = examine()
    if json:
        import json as format

        write(format.dumps([asdict(each) for each in found], indent=1, ensure_ascii=False) + "\n")
        return 0
    table(["what", "found"], [[each.name, each.value] for each in found])
    missing = [each for each in found if each.fix]
    say()
    for each in missing:
        say(f"{each.name}: {each.fix}")
    if not missing:
        say("Nothing is missing.")
    return 0
