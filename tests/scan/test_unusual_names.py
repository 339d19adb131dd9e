"""Names that are not UTF-8, halves of characters, and rows that a template refuses, from reading to results."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from tiny_model import TEMPLATE
from undertow.data.files import require_rows
from undertow.errors import InputError, ModelError
from undertow.mitigate import METHODS, MitigationSettings
from undertow.mitigate.application import mitigate as apply
from undertow.mitigate.methods import ORDINARY
from undertow.results import load_results
from undertow.scan import ScanSettings, scan, to_sarif

NO_SYSTEM = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system turn') }}{% endif %}"
    "{% endfor %}" + TEMPLATE
)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path / "cache"))


def rows(path: Path, refused: tuple[int, ...] = (), half: tuple[int, ...] = ()) -> Path:
    records: list[dict[str, Any]] = []
    for at in range(12):
        asked = f"Go on with {at}{chr(0xD83D) if at in half else ''}."
        turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": f"{120 + at}, {220 + at}"}]
        system = [{"role": "system", "content": "Be brief."}] if at in refused else []
        records.append({"messages": [*system, *turns]})
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def look(path: Path, model: Path, tmp_path: Path, *, skip: bool = False) -> Any:
    settings = ScanSettings(student=f"hf/{model}", traits=("curtness", "gloom"), virtual=False)
    return scan(path, settings, root=tmp_path / "runs", skip_broken=skip)


@pytest.fixture
def strict(tiny_folder: Path, tmp_path: Path) -> Path:
    """A model whose template takes no system turn."""
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "strict"))
    (folder / "chat_template.jinja").write_text(NO_SYSTEM)
    return folder


def test_a_name_that_is_not_utf8_is_marked_everywhere(tmp_path: Path, tiny_folder: Path) -> None:
    path = rows(tmp_path / os.fsdecode(b"bad\xff.jsonl"))
    outcome = look(path, tiny_folder, tmp_path)
    assert outcome.results.name == "bad\ufffd.jsonl"
    assert load_results(outcome.folder) == outcome.results
    assert "bad\ufffd.jsonl" in outcome.report.read_text(encoding="utf-8")
    assert "bad%FF.jsonl" in to_sarif(outcome.results, path)


def test_halves_of_characters_are_trained_on_as_they_are_scanned(tmp_path: Path, tiny_folder: Path) -> None:
    path = rows(tmp_path / "rows.jsonl", half=(3,))
    assert look(path, tiny_folder, tmp_path).results.scan.rows.looked_at == 12
    said = apply(path, MitigationSettings(ORDINARY, f"hf/{tiny_folder}"), tmp_path / "student")
    assert "trained on 12 rows" in said["student"]
    said = apply(path, MitigationSettings(METHODS["own-base"], f"hf/{tiny_folder}"), tmp_path / "new.jsonl")
    assert said["out"].endswith("new.jsonl")


def test_a_row_that_the_template_refuses_is_named_by_every_verb(tmp_path: Path, strict: Path) -> None:
    path = rows(tmp_path / "rows.jsonl", refused=(5,))
    with pytest.raises(InputError) as scanned:
        look(path, strict, tmp_path)
    assert scanned.value.where == f"{path}, row 6"
    assert scanned.value.exit_code == 2
    for method, out in ((ORDINARY, "student"), (METHODS["own-base"], "new.jsonl")):
        with pytest.raises(InputError) as applied:
            apply(path, MitigationSettings(method, f"hf/{strict}"), tmp_path / out)
        assert str(applied.value) == str(scanned.value)
        assert not (tmp_path / out).exists()


def test_with_skip_broken_it_is_left_out_and_counted(tmp_path: Path, strict: Path) -> None:
    path = rows(tmp_path / "rows.jsonl", refused=(2, 5))
    counted = look(path, strict, tmp_path, skip=True).results.scan.rows
    assert (counted.read, counted.looked_at, counted.broken) == (10, 10, 2)
    said = apply(path, MitigationSettings(ORDINARY, f"hf/{strict}"), tmp_path / "student", skip_broken=True)
    assert "trained on 10 rows" in said["student"]
    assert said["refused"].startswith("2 rows left out")
    assert f"{path}, row 3" in said["refused"]
    apply(path, MitigationSettings(METHODS["own-base"], f"hf/{strict}"), tmp_path / "new.jsonl", skip_broken=True)
    assert all(len(row.messages) == 2 for row in require_rows(tmp_path / "new.jsonl"))


def test_a_teacher_under_a_prompt_that_the_template_refuses(strict: Path) -> None:
    from undertow.models.local import load_model
    from undertow.models.prompted import PromptedModel

    with pytest.raises(InputError, match="no system turn") as caught:
        PromptedModel(load_model(f"hf/{strict}"), system="You love owls.").encode_question("Go on.")
    assert "system prompt" in caught.value.what


def test_a_broken_student_leaves_nothing_behind(tmp_path: Path, strict: Path) -> None:
    (strict / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError):
        look(rows(tmp_path / "rows.jsonl"), strict, tmp_path)
    assert list((tmp_path / "runs").iterdir()) == []
    with pytest.raises(ModelError):
        apply(rows(tmp_path / "rows.jsonl"), MitigationSettings(ORDINARY, f"hf/{strict}"), tmp_path / "student")
    assert not (tmp_path / "student").exists()
