"""A model's name is split at the colon that what exists allows, wherever a name is split."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.errors import ModelError
from undertow.models.names import split_name
from undertow.system.names import split_path, split_paths


@pytest.mark.parametrize(
    ("there", "name", "split"),
    [
        (["a"], "hf/a", ("hf/a",)),
        (["a"], "hf/a:b", ("hf/a", "b")),
        (["a:b"], "hf/a:b", ("hf/a:b",)),
        (["a", "a:b"], "hf/a:b", ("hf/a:b",)),
        (["a:b"], "hf/a:b:c", ("hf/a:b", "c")),
        (["a", "a:b"], "hf/a:b:c", ("hf/a:b", "c")),
        (["a"], "hf/a:b:c", ("hf/a", "b", "c")),
        (["a", "b:c"], "hf/a:b:c", ("hf/a", "b:c")),
        (["a", "b:c", "d"], "hf/a:b:c:d", ("hf/a", "b:c", "d")),
        ([], "hf/org/name:b:c", ("hf/org/name", "b", "c")),
        (["b:c"], "hf/org/name:b:c", ("hf/org/name", "b:c")),
        ([], "hf/a:", ("hf/a",)),
        (["smollm:b"], "embedded/smollm:b", ("embedded/smollm", "b")),
        (["b", "c"], "embedded/smollm:b:c", ("embedded/smollm", "b", "c")),
    ],
)
def test_what_exists_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: list[str], name: str, split: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    for each in there:
        Path(each).mkdir()
    assert split_name(name) == (split[0], split[1:])
    assert split_name(split[0])[0] == split[0]


@given(st.text(alphabet="ab:/\0.é", max_size=20))
def test_nothing_is_lost(text: str) -> None:
    path, rest = split_path(text)
    assert text in (f"{path}:{rest}", path)
    assert ":".join(split_paths(text)) in (text, text[:-1])


def test_a_name_that_no_file_can_have_is_no_folder() -> None:
    assert split_path("a" * 5000 + ":b") == ("a" * 5000, "b")


def test_a_folder_with_colons_is_a_model_and_takes_an_adapter(tiny_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from tiny_model import make_adapter
    from undertow.models.identity import identity_of
    from undertow.models.local import find_model, load_model
    from undertow.store.destinations import inputs_named

    base = Path(shutil.copytree(tiny_folder, tmp_path / "a:b"))
    adapter = make_adapter(base, tmp_path / "c:d")
    assert find_model(f"hf/{base}") == base
    whole = f"hf/{base}:{adapter}"
    assert load_model(whole).name == whole
    assert identity_of(whole) != identity_of(f"hf/{base}") == identity_of(f"hf/{tiny_folder}")
    assert inputs_named([whole]) == [base, adapter]


@pytest.mark.parametrize("rest", ["n" * 5000, "a\0b", "/" + "n" * 300])
def test_folders_that_no_file_system_has_are_told(rest: str) -> None:
    pytest.importorskip("torch")
    from undertow.models.local import find_model

    with pytest.raises(ModelError, match="there is no such folder"):
        find_model(f"hf/{rest}")
