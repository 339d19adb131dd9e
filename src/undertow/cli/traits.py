"""`undertow traits`: the traits that Undertow can instil and measure.

undertow traits
undertow traits colours mine.yaml --json
"""

from __future__ import annotations


def traits(*names: str, json: bool = False) -> int:
    """List the traits that Undertow can instil and measure.

        undertow traits colours

    Args:
        names: Shipped traits, or YAML files of yours, which are checked. Default: all shipped traits.
        json: Print the traits as JSON, with their targets.
    """
    from undertow.cli.show import table, write
    from undertow.traits.panel import load_panel

    panel = load_panel(names or None)
    if json:
        import json as writer

        records = [
            {
                "name": entry.name,
                "kind": entry.kind,
                "questions": len(entry.probe),
                "about": entry.about,
                "targets": entry.targets,
                "probe_digest": entry.probe_digest,
            }
            for entry in panel
        ]
        write(writer.dumps(records, indent=1, ensure_ascii=False) + "\n")
        return 0
    rows = [[entry.name, entry.kind, str(len(entry.probe)), entry.about] for entry in panel]
    table(["trait", "kind", "questions", "what it is"], rows, right=["questions"])
    return 0
