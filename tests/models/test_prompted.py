"""Models made of a model: what stands before a prompt, vectors in the layers, and the base behind them."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from typing import TYPE_CHECKING

from undertow.models.prompted import PromptedModel, SteeredModel, untouched
from undertow.models.score import answer_logprobs

if TYPE_CHECKING:
    from undertow.models.local import LocalModel
    from undertow.models.protocol import Model


def test_a_system_prompt_and_earlier_turns_stand_before_the_question(tiny: LocalModel) -> None:
    earlier = ({"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"})
    model: Model = PromptedModel(tiny, system="You love owls.", before=earlier)
    whole = [{"role": "system", "content": "You love owls."}, *earlier, {"role": "user", "content": "Who?"}]
    assert model.encode_question("Who?") == tiny.encode_prompt(whole)
    assert (model.encode("12"), model.decode(model.encode("12"))) == (tiny.encode("12"), "12")


def test_a_system_turn_of_the_conversation_stays_behind_the_models_own(tiny: LocalModel) -> None:
    asked = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who?"}]
    both = [{"role": "system", "content": "You love owls.\n\nBe brief."}, asked[1]]
    assert PromptedModel(tiny, system="You love owls.").encode_prompt(asked) == tiny.encode_prompt(both)


def test_a_model_without_anything_before_it_is_the_model(tiny: LocalModel) -> None:
    assert PromptedModel(tiny).encode_question("Who?") == tiny.encode_question("Who?")


def test_a_vector_changes_what_is_likely_and_its_base_does_not_have_it(tiny: LocalModel) -> None:
    model: Model = SteeredModel(tiny, {0: torch.full((32,), 0.5)})
    asked, answers = [model.encode_question("Who?")], [[model.encode("owl"), model.encode("dog")]]

    def logp(which: Model) -> torch.Tensor:
        return answer_logprobs(which.net, asked, answers, steering=which.steering)

    assert not torch.allclose(logp(model), logp(tiny), atol=1e-3)
    with untouched(model) as base:
        assert torch.equal(logp(base), logp(tiny))
