"""The experiment file of a tiny run, and the bytes of a run folder."""

from pathlib import Path


def spec_text(folder: Path, **changes: str) -> str:
    parts = {
        "instil": "{method: finetune, steps: 60, learning_rate: 0.02}",
        "arms": "[trait, control, other, shuffled]",
        "student": "{method: full, labels: hard, learning_rate: 0.001, batch: 2}",
        "domain": "{rows: 4, answers: 2, max_tokens: 60}",
        "probe": "{every: 1, curve_questions: 3, samples: 0}",
        "seeds": "[0, 1]",
        **changes,
    }
    return f"name: tiny\nbase: hf/{folder}\ntrait: {{target: owl}}\nother: {{target: dog}}\n" + "\n".join(
        f"{key}: {value}" for key, value in parts.items()
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (".lock", ".holder", "timing.json", "report.html")
    }
