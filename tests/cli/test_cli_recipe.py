"""`undertow recipe`, and the option that other verbs take."""

import json
from pathlib import Path
from typing import get_args

import pytest
from cyclopts import App

from undertow import cli
from undertow.cli.recipe import RecipeName, RecipeOption, read_recipe
from undertow.config.recipes.load import recipe_presets


def test_presets_complete_and_are_those_that_ship() -> None:
    presets, path = get_args(RecipeName)
    assert list(get_args(presets)) == recipe_presets()
    assert path is Path


@pytest.mark.parametrize("preset", recipe_presets())
def test_a_preset_is_shown_with_its_steps(preset: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["recipe", preset, "--rows", "160", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["path"], shown["steps"]) == (preset, 10 * int(shown["recipe"]["epochs"]))
    assert {key["says"] for key in shown["taken"]} <= {
        *shown["recipe"],
        *(f"adapter.{name}" for name in shown["recipe"]["adapter"] or ()),
    }
    assert cli.main(["recipe", preset, "--rows", "160"]) == 0
    assert f"160 rows: {shown['steps']} steps of 16" in capsys.readouterr().out


def test_without_a_recipe_the_presets_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["recipe"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]]
    assert listed == recipe_presets()
    assert cli.main(["recipe", "--json"]) == 0
    assert [each["path"] for each in json.loads(capsys.readouterr().out)] == recipe_presets()


def test_what_is_not_modelled_is_shown_and_secrets_are_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "sft.yaml"
    path.write_text("max_length: 64\nneftune_noise_alpha: 5\nhub_token: hf_a\nmy_token: hf_b\n", "utf-8")
    for words in (["recipe", str(path)], ["recipe", str(path), "--json"]):
        assert cli.main(words) == 0
        said = capsys.readouterr().out
        assert "neftune_noise_alpha" in said
        assert "hf_a" not in said
        assert "hf_b" not in said


def test_bad_input_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "sft.yaml"
    path.write_text("max_length: 64\nwarmup_steps: 3\nwarmup_ratio: 0.1\n", "utf-8")
    assert cli.main(["recipe", str(path)]) == 2
    said = capsys.readouterr().err
    assert f"{path}, line 2: warmup_steps = 3 and warmup_ratio = 0.1" in said
    assert cli.main(["recipe", "lora-stf"]) == 2
    assert "did you mean 'lora-sft'?" in capsys.readouterr().err
    assert cli.main(["recipe", "lora-sft", "--rows", "0"]) == 2


def test_the_option_of_other_verbs_tells_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "sft.yaml"
    path.write_text("max_length: 64\nneftune_noise_alpha: 5\n", "utf-8")
    found = read_recipe(path)
    assert found is not None
    assert found.spec.most_tokens == 64
    captured = capsys.readouterr()
    assert not captured.out
    assert f"note: {path}: not modelled: neftune_noise_alpha = 5" in captured.err
    assert read_recipe(None) is None
    preset = read_recipe("lora-sft")
    assert preset is not None
    assert preset.kind == "undertow"


@pytest.mark.parametrize(
    ("words", "value"),
    [([], None), (["--recipe", "lora-sft"], "lora-sft"), (["--recipe", "a/lora-sft"], Path("a/lora-sft"))],
)
def test_the_option_is_a_preset_or_a_file(words: list[str], value: object) -> None:
    app = App(result_action="return_value")

    @app.default
    def verb(*, recipe: RecipeOption = None) -> object:
        return recipe

    assert app(words) == value
