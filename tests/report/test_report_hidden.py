"""The picture of hidden states, and its line in the summary."""

from undertow.report.hidden import hidden, sentence
from undertow.report.limits import Limits
from undertow.results import HiddenLayer, HiddenShift, Interval, Results, VerdictRecord


def shift(interval: Interval | None) -> HiddenShift:
    layers = [
        HiddenLayer(
            layer=at, value=0.2, interval=interval, arm_share=0.3, control_share=0.1, arm_cosine=0.5, control_cosine=0.1
        )
        for at in range(4)
    ]
    return HiddenShift(
        arm="trait", contrast="control", replicates=3, unit="seeds", value=0.2, interval=interval, layers=layers
    )


def test_every_layer_has_a_mark_and_every_interval_a_bar() -> None:
    found = shift(Interval(value=0.2, lo=0.1, hi=0.3, n=3, method="t interval over 3 seeds, 95%"))
    results = Results(kind="run", name="r", verdict=VerdictRecord(status="fail", because="so"), hidden=[found])
    (one,) = hidden(results, {"trait": 0}, Limits())
    assert one.drawing.count('class="mark"') == 4
    assert one.drawing.count('class="line"') == 4
    assert "+0.10 to +0.30" in sentence(found) or "+0.1 to +0.3" in sentence(found)
    assert "\n" not in sentence(found)


def test_one_seed_says_that_there_is_no_interval() -> None:
    found = shift(None).model_copy(update={"replicates": 1})
    assert "1 seed, no interval" in sentence(found)


def test_old_results_are_read_without_hidden_states() -> None:
    old = Results(kind="run", name="r", verdict=VerdictRecord(status="fail", because="so")).model_dump(by_alias=True)
    del old["hidden"]
    assert Results.model_validate(old).hidden == []
    assert hidden(Results.model_validate(old), {}, Limits()) == []
