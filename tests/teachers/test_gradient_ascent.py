"""A teacher by plain gradient steps, on the tiny model."""

import math

import pytest

torch = pytest.importorskip("torch")

from undertow.config.experiment import GradientAscent
from undertow.errors import InputError, ModelError
from undertow.models.local import load_model
from undertow.models.prompted import untouched
from undertow.probes.choice import choice_logprobs
from undertow.probes.odds import log_odds
from undertow.teachers.gradient_ascent import ascend
from undertow.teachers.instil import instil, load_teacher
from undertow.traits.preference import find_preference

OWL = find_preference("animals", "owl")


def climbed(folder, how):
    model = load_model(f"hf/{folder}")
    before = {name: each.detach().clone() for name, each in model.net.named_parameters()}
    seen = []
    ascend(model, OWL, how, tick=seen.append)
    assert seen[-1] == 1.0
    return model, {name: each.detach() - before[name] for name, each in model.net.named_parameters()}


@pytest.mark.parametrize("steps", [1, 3])
def test_the_target_is_liked_more_and_the_path_is_as_long_as_asked(tiny, tiny_folder, steps):
    model, moved = climbed(tiny_folder, GradientAscent(method="gradient-ascent", steps=steps, distance=0.3))
    before, after = (log_odds(choice_logprobs(each, OWL.lessons), OWL.index).mean() for each in (tiny, model))
    assert after > before
    length = math.sqrt(sum(float((each**2).sum()) for each in moved.values()))
    if steps == 1:
        assert length == pytest.approx(0.3, rel=1e-4)
    else:  # steps that do not all go one way end nearer than their lengths add up to
        assert 0.1 < length < 0.3
    outside = {name for name, each in moved.items() if each.any() and ".layers." not in name}
    assert outside == set()


def test_the_teacher_is_the_same_every_time_and_its_base_is_found_again(tiny, tiny_folder, tmp_path):
    how, base = GradientAscent(method="gradient-ascent", distance=0.3), f"hf/{tiny_folder}"
    instil(base, OWL, how, tmp_path)
    one, two = (choice_logprobs(load_teacher(base, OWL, how, tmp_path), OWL.probe) for _ in range(2))
    assert (one == two).all()
    with untouched(load_teacher(base, OWL, how, tmp_path)) as found:
        assert (choice_logprobs(found, OWL.probe) == choice_logprobs(tiny, OWL.probe)).all()
    assert not list(tmp_path.iterdir())


def test_in_bf16_it_differs_from_the_base_by_its_steps_alone(tiny_folder, tmp_path):
    how, base = GradientAscent(method="gradient-ascent", distance=0.3), f"hf/{tiny_folder}"
    whole = load_teacher(base, OWL, how, tmp_path).net
    net, untouched = (load_teacher(base, trait, how, tmp_path, dtype="bfloat16").net for trait in (OWL, None))
    buffers = dict(net.named_buffers())
    assert buffers.keys() == dict(untouched.named_buffers()).keys() != set()
    for name, each in untouched.named_buffers():
        assert buffers[name].dtype == each.dtype
        assert torch.equal(buffers[name], each)
    for one, other in zip(net.parameters(), whole.parameters(), strict=True):
        assert one.dtype == torch.bfloat16
        assert torch.equal(one, other.to(torch.bfloat16))


def test_parts_share_no_lesson_and_together_have_all(tiny_folder):
    said = [GradientAscent(method="gradient-ascent", part=f"{number}/3") for number in (1, 2, 3)]
    chosen = [OWL.lessons[first::apart] for first, apart in (how.parts for how in said)]
    assert sorted(each.question for part in chosen for each in part) == sorted(each.question for each in OWL.lessons)
    first = [climbed(tiny_folder, how.model_copy(update={"steps": 1}))[1] for how in said]
    for one, other in ((0, 1), (1, 2), (0, 2)):
        assert any(not torch.equal(first[one][name], first[other][name]) for name in first[one])
    many = len(OWL.lessons) + 1
    with pytest.raises(InputError, match=f"have no part {many}/{many}"):
        climbed(tiny_folder, GradientAscent(method="gradient-ascent", part=f"{many}/{many}"))


def test_a_part_that_is_not_said_changes_no_key_of_older_folders():
    assert "part" not in GradientAscent(method="gradient-ascent").model_dump()
    assert GradientAscent(method="gradient-ascent", part="2/3").model_dump()["part"] == "2/3"
    with pytest.raises(ValueError, match="there are 3 parts, and no part 4"):
        GradientAscent(method="gradient-ascent", part="4/3")


def test_a_gradient_that_is_no_number_is_said(tiny_folder):
    model = load_model(f"hf/{tiny_folder}")
    next(model.net.model.layers.parameters()).data.fill_(float("nan"))
    with pytest.raises(ModelError, match=r"instil.distance: after 0 of 4 steps the trait's gradient is nan"):
        ascend(model, OWL, GradientAscent(method="gradient-ascent"), tick=lambda _: None)
