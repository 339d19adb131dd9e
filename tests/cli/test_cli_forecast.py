"""`undertow plan scan|audit|mitigate`."""

import json

import pytest

pytest.importorskip("torch")

from undertow.cli import main

ROWS = [{"prompt": f"Go on with {at}.", "completion": "1, 2, 3"} for at in range(200)]


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def planned(capsys, *words):
    assert main(["plan", *map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def config_of(folder, **changes):
    """Write the config of a Llama of eight billion weights, and no weights."""
    sizes = {
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
    }
    folder.mkdir()
    known = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "dtype": "bfloat16", **sizes, **changes}
    (folder / "config.json").write_text(json.dumps(known))
    return f"hf/{folder}"


@pytest.mark.parametrize("verb", ["scan", "audit", "mitigate"])
def test_parts_add_up_and_no_weight_is_needed(verb, rows, tmp_path, capsys):
    large = config_of(tmp_path / "large")
    found = planned(capsys, verb, *([] if verb == "audit" else [rows]), "--student", large)
    assert found["bytes"] == sum(part["bytes"] for part in found["parts"])
    assert found["model"]["parameters"] == pytest.approx(8.03e9, rel=1e-2)
    assert found["operations"] > 0


def test_an_adapter_on_weights_as_they_are_stored_takes_a_fraction(rows, tmp_path, capsys):
    large = config_of(tmp_path / "large")
    whole = planned(capsys, "scan", rows, "--student", large)
    lora = planned(capsys, "scan", rows, "--student", large, "--recipe", "lora-sft")
    weights = 2 * whole["model"]["parameters"]
    assert lora["bytes"] < 2 * weights < whole["bytes"]


def test_more_rows_and_larger_models_take_more(rows, tmp_path, capsys):
    small = config_of(tmp_path / "small", num_hidden_layers=16)
    large = config_of(tmp_path / "large")
    few, many = (planned(capsys, "scan", rows, "--student", each) for each in (small, large))
    assert few["bytes"] < many["bytes"]
    assert few["operations"] < many["operations"]


def test_what_does_not_fit_says_so_and_what_would(rows, tmp_path, capsys, monkeypatch):
    from undertow.pipeline import forecast

    large = config_of(tmp_path / "large")
    monkeypatch.setattr(forecast, "available", lambda: forecast.Room(40 * 2**30, "memory that is free"))
    assert main(["plan", "scan", str(rows), "--student", large]) == 0
    said = capsys.readouterr().out
    assert "does not fit into the 40.0 GiB" in said
    assert "--recipe lora-sft" in said
    monkeypatch.setattr(forecast, "available", lambda: forecast.Room(2**30, "memory that is free"))
    assert main(["plan", "audit", "--student", large]) == 0
    assert "a smaller base" in capsys.readouterr().out


def test_wrong_uses_are_one_message(rows, tmp_path, capsys):
    assert main(["plan", "scan"]) == 2
    assert "needs the rows" in capsys.readouterr().err
    assert main(["plan", "scan", str(rows), "--student", f"hf/{tmp_path / 'none'}"]) == 3
    assert "no such folder" in capsys.readouterr().err
    assert main(["plan", "digits.yaml", str(rows)]) == 2
    assert "belongs to plan scan" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["scan", "audit", "mitigate"])
def test_a_part_of_the_panel_takes_less_time(verb, rows, tmp_path, capsys):
    large = config_of(tmp_path / "large")
    words = [verb, *([] if verb == "audit" else [rows]), "--student", large]
    assert planned(capsys, *words, "--trait", "animals")["operations"] < planned(capsys, *words)["operations"]
