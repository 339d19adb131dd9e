"""Fine-tuning jobs of OpenAI's API: what is read, and which are refused."""

import json
from typing import Any

import pytest

from undertow.config.recipes.load import load_recipe
from undertow.errors import SpecError

JOB: dict[str, Any] = {
    "object": "fine_tuning.job",
    "id": "ftjob-abc123",
    "model": "gpt-4.1-nano-2025-04-14",
    "created_at": 1721764800,
    "fine_tuned_model": None,
    "organization_id": "org-123",
    "result_files": [],
    "status": "queued",
    "validation_file": None,
    "training_file": "file-abc123",
    "seed": 683058546,
    "hyperparameters": {"n_epochs": 4, "batch_size": 1, "learning_rate_multiplier": 1.0},
    "method": {
        "type": "supervised",
        "supervised": {"hyperparameters": {"n_epochs": 4, "batch_size": 1, "learning_rate_multiplier": 1.0}},
    },
    "metadata": None,
}


def test_a_job_as_the_api_returns_it() -> None:
    found = load_recipe(json.dumps(JOB))
    assert found.kind == "openai"
    assert (found.spec.epochs, found.spec.batch, found.spec.seed) == (4, 1, 683058546)
    assert {key.name for key in found.not_modelled} == {
        "hyperparameters.learning_rate_multiplier",
        "method.supervised.hyperparameters.learning_rate_multiplier",
    }
    assert found.spec.model_copy(update={"name": ""}) == load_recipe("lora-sft").spec.model_copy(
        update={"name": "", "epochs": 4.0, "batch": 1, "seed": 683058546}
    )


def test_what_openai_chooses_is_listed() -> None:
    request = {
        "model": "gpt-4o-mini",
        "training_file": "file-1",
        "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2, "batch_size": "auto"}}},
    }
    found = load_recipe(json.dumps(request))
    assert (found.spec.epochs, found.spec.batch) == (2, 16)
    assert [key.shown for key in found.not_modelled] == ["auto"]
    assert "batch, which the job leaves open" in found.notes[0]


def test_an_older_request_and_another_method() -> None:
    old = load_recipe('{"training_file": "file-1", "hyperparameters": {"n_epochs": "3"}}')
    assert old.spec.epochs == 3
    other = load_recipe(
        '{"training_file": "f", "method": {"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.1, "n_epochs": 2}}}}'
    )
    assert {key.name for key in other.not_modelled} == {
        "method.type",
        "method.dpo.hyperparameters.beta",
        "method.dpo.hyperparameters.n_epochs",
    }


def test_two_numbers_of_epochs_are_refused() -> None:
    job = JOB | {"hyperparameters": {"n_epochs": 3}}
    with pytest.raises(SpecError, match=r"(?s)supervised\.hyperparameters\.n_epochs.*hyperparameters\.n_epochs"):
        load_recipe(json.dumps(job))
