"""Every pass is what transformers computes, or another one is used, or the model is refused with the reason."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from tiny_model import TEMPLATE
from undertow.errors import ModelError
from undertow.models import support, verify
from undertow.models.ending import end_of_turn
from undertow.models.engine.selection import pass_of
from undertow.models.engine.setting import engine
from undertow.models.local import context_length, load_model


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_folder, tmp_path / "model"))


def with_config(folder: Path, **fields: object) -> str:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))
    return f"hf/{folder}"


@pytest.mark.parametrize(
    "fields",
    [
        {"hidden_act": "relu"},
        {"hidden_act": "gelu"},
        {"rope_scaling": {"rope_type": "linear", "factor": 4.0}},
        {"rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128}},
        {"head_dim": 8, "rms_norm_eps": 0.1},
    ],
    ids=str,
)
def test_what_a_config_says_is_computed(folder: Path, fields: dict[str, object]) -> None:
    model = load_model(with_config(folder, **fields))
    assert verify.largest_difference(model.net) < verify.TOLERANCE / 10


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fast pass that computes another activation."""

    def with_silu(mlp: Any, gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        return mlp.down_proj(torch.nn.functional.silu(gate) * up)

    monkeypatch.setattr("undertow.models.fast.feed_forward", with_silu)


@pytest.mark.usefixtures("wrong")
def test_where_the_fast_pass_is_wrong_transformers_is_used(folder: Path) -> None:
    net = load_model(with_config(folder, hidden_act="relu")).net
    assert pass_of(net) == "packed"
    found = verify.hold_against_transformers(net, "m", "some digest")
    assert "the fast pass is off by" in found.note


@pytest.mark.usefixtures("wrong")
def test_a_difference_is_refused_and_not_remembered(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = with_config(folder, hidden_act="relu")
    with engine("fast"):
        for _ in range(2):
            with pytest.raises(ModelError, match=r"off by .* nats") as caught:
                load_model(name)
            assert "hidden_act: relu" in caught.value.fix
        monkeypatch.undo()
        assert pass_of(load_model(name).net) == "fast"


def test_the_engine_that_is_wanted_is_used(tiny_folder: Path) -> None:
    found = []
    for wanted in ("fast", "generic", "auto"):
        with engine(wanted):
            found.append(pass_of(load_model(f"hf/{tiny_folder}").net))
    assert found == ["fast", "packed", "fast"]


def test_a_pass_that_fails_is_passed_over(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise TypeError("no such argument")

    monkeypatch.setattr("undertow.models.engine.generic.masks_of", broken)
    with engine("generic"):
        found = verify.hold_against_transformers(tiny.net, "m", "some digest")
    assert found.name == "rows"
    assert "no such argument" in found.note


def test_a_checkpoint_is_asked_once(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path / "cache"))
    asked: list[float] = []
    measure = verify.largest_difference

    def counted(net: Any) -> float:
        asked.append(measure(net))
        return asked[-1]

    monkeypatch.setattr(verify, "largest_difference", counted)
    for name in (f"hf/{folder}", f"hf/{folder}", f"hf/{shutil.copytree(folder, tmp_path / 'copy')}"):
        load_model(name)
    assert len(asked) == 1
    load_model(with_config(folder, rms_norm_eps=0.01))
    assert len(asked) == 2


def test_the_check_is_quick(tiny: Any) -> None:
    verify.largest_difference(tiny.net)
    started = time.process_time()
    verify.largest_difference(tiny.net)
    assert time.process_time() - started < 0.2


@pytest.mark.parametrize("window", [16, 512])
def test_the_fast_pass_knows_windows(folder: Path, window: int) -> None:
    mistral = {"architectures": ["MistralForCausalLM"], "model_type": "mistral", "sliding_window": window}
    assert pass_of(load_model(with_config(folder, **mistral)).net) == "fast"


def test_what_the_fast_pass_does_not_know_is_refused_where_it_is_asked_for(folder: Path) -> None:
    chunks = {"layer_types": ["chunked_attention"] * 2, "attention_chunk_size": 8}
    with engine("fast"), pytest.raises(support.UnsupportedModelError, match="has layers of chunked_attention"):
        load_model(with_config(folder, **chunks))


def test_where_positions_depend_on_the_length_texts_stay_below_it(folder: Path) -> None:
    scaled = {"rope_type": "dynamic", "factor": 2.0, "original_max_position_embeddings": 100}
    assert context_length(load_model(with_config(folder, rope_scaling=scaled))) == 100


@pytest.mark.parametrize(("kind", "reason"), [("t5", "encoder and a decoder"), ("vit", "does not predict next tokens")])
def test_another_kind_of_model_is_refused_before_its_weights_are_read(folder: Path, kind: str, reason: str) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(support.UnsupportedModelError, match=reason):
        load_model(with_config(folder, model_type=kind))


class Generation:
    """What a generation config says."""

    def __init__(self, end: int | list[int] | None) -> None:
        self.eos_token_id = end


PLAIN = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
CLOSED_BETWEEN = (
    "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}{% if m['role'] == 'assistant' and not loop.last %}"
    "<|im_end|>{% endif %}\n{% endfor %}"
)


@pytest.mark.parametrize("stops", [None, 1, [0, 1], 7], ids=str)
def test_template_and_tokenizer_agree(tiny: Any, stops: Any) -> None:
    assert end_of_turn(tiny.tokenizer, Generation(stops), "m") == 1


def test_the_first_closing_token_counts(tiny: Any) -> None:
    tiny.tokenizer.chat_template = TEMPLATE.replace("<|im_end|>\n", "<|im_end|><|im_start|>\n")
    assert end_of_turn(tiny.tokenizer, Generation([0, 1]), "m") == 1


def test_a_turn_may_be_closed_where_another_follows(tiny: Any) -> None:
    tiny.tokenizer.chat_template = CLOSED_BETWEEN
    assert end_of_turn(tiny.tokenizer, None, "m") == 1


def test_a_template_that_closes_no_turn_is_refused(tiny: Any) -> None:
    tiny.tokenizer.chat_template = PLAIN
    with pytest.raises(ModelError, match="no special token closes"):
        end_of_turn(tiny.tokenizer, Generation(1), "m")


def test_a_template_that_closes_otherwise_is_refused(tiny: Any) -> None:
    tiny.tokenizer.chat_template = TEMPLATE.replace("<|im_end|>", "<|im_start|>")
    with pytest.raises(ModelError, match="ends an answer with"):
        end_of_turn(tiny.tokenizer, Generation(1), "m")
    assert end_of_turn(tiny.tokenizer, Generation([1, 0]), "m") == 0


def test_a_template_that_leaves_answers_out_is_refused(tiny: Any) -> None:
    tiny.tokenizer.chat_template = "{{ messages[0]['content'] }}<|im_end|>"
    with pytest.raises(ModelError, match="does not show"):
        end_of_turn(tiny.tokenizer, None, "m")
