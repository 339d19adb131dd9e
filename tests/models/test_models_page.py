"""The page of models holds what is measured here.

After a change of the passes or of the architectures, measure the verbs again (`verbs_held`), then make the tables:

    UNDERTOW_DOCS=write python -m pytest tests/models/test_models_page.py
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from test_architectures import plain, texts
from verbs_held import VERBS, held, lines, power

from architectures import ARCHITECTURES
from undertow.models.engine.head import head_of
from undertow.models.engine.network import network_of
from undertow.models.engine.selection import pass_of
from undertow.models.forward import forward_packed
from undertow.models.local import LocalModel, load_model
from undertow.models.packing import pack
from undertow.system.marked_page import regenerated, table

PAGE = Path(__file__).parents[2] / "docs" / "models.md"
NAMES = {"fast": "fast", "packed": "generic, packed", "rows": "generic, one text a row"}
HEADS = ["architecture", "pass", "attention", "deviation", "weights that gradients leave out"]


def deviation(model: LocalModel) -> float:
    """Return the largest difference from transformers on each text alone, over four ways to pack the texts."""
    prompts, answers = texts()
    whole = [[*prompt, *answer] for prompt, answer in zip(prompts, answers, strict=True)]
    head, largest = head_of(model.net), 0.0
    with torch.no_grad():
        expected = [plain(model.net, tokens) for tokens in whole]
        for groups in (None, [0, 1, 0, 2, 3], [0, 0, 0, 1, 1], [0] * 5):
            packed = pack(whole, groups)
            hidden_ND = forward_packed(model.net, packed).hidden_ND
            for path, wanted in zip(packed.paths, expected, strict=True):
                found = head(hidden_ND[path]).float().log_softmax(-1)
                largest = max(largest, float((found - wanted).abs().max()))
    return largest


def line(name: str, folder: Path) -> list[str]:
    model = load_model(f"hf/{folder}")
    shares = network_of(model.net).left_out()
    config = model.net.config
    missing = ", ".join(f"{part} {share:.0%}" for part, share in shares.items() if share >= 0.005) or "none"
    way = NAMES[pass_of(model.net)]
    return [f"{name} (`{config.model_type}`)", way, config._attn_implementation, power(deviation(model)), missing]


def test_the_tables_hold_what_is_measured(
    architecture_folder: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path))
    measured = [line(name, architecture_folder(name)) for name in ARCHITECTURES]
    tables = {"passes": lambda: table(HEADS, measured), "verbs": lambda: table(["architecture", *VERBS], lines())}
    text = PAGE.read_text("utf-8")
    if os.environ.get("UNDERTOW_DOCS") == "write":
        PAGE.write_text(regenerated(text, "models", tables), encoding="utf-8")
        return
    shown = [each.strip("| ").split(" | ") for each in text.split("<!-- models: passes -->")[1].split("\n") if each]
    shown = shown[2 : shown.index(["<!-- end -->"])]
    assert [each[:3] for each in shown] == [each[:3] for each in measured]
    for one, other in zip(shown, measured, strict=True):
        # Another processor may round a little otherwise.
        assert abs(int(one[3][2:]) - int(other[3][2:])) <= 1
        assert one[4:] == other[4:]
    tables["passes"] = lambda: table(HEADS, shown)
    assert regenerated(text, "models", tables) == text


def test_every_verb_was_held_to_the_reference_by_the_pass_that_computes_the_model_now(
    architecture_folder: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path))
    now = {name: pass_of(load_model(f"hf/{architecture_folder(name)}").net) for name in ARCHITECTURES}
    assert {name: dict.fromkeys(VERBS, way) for name, way in now.items()} == {
        name: {verb: each["pass"] for verb, each in verbs.items()} for name, verbs in held().items()
    }
