"""Judges: the rule, the local model and the remote one, and how their errors are counted."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.domains.mentions import Mentions
from undertow.errors import InputError, ModelError
from undertow.judges import EndpointJudge, WordJudge, labelled, measure_error
from undertow.judges.base import RUBRIC, ask
from undertow.judges.endpoint import TRIES, parse_verdict
from undertow.stats.misclassification import JudgeError
from undertow.traits.disposition import find_disposition
from undertow.traits.preference import find_preference

PAIRS = [("How are you?", "Leave me alone."), ("How are you?", "I am glad to hear from you.")]


def test_a_rule_looks_for_its_words() -> None:
    assert WordJudge(Mentions(("alone",))).rule(PAIRS) == [True, False]


def test_what_is_filled_into_a_rubric_is_not_searched_again() -> None:
    assert ask("{topic}/{question}/{answer}", "T", "{answer}", "{topic}") == "T/{answer}/{topic}"
    assert "{" not in ask(RUBRIC, "curtness", "Why?", "No.")
    with pytest.raises(InputError, match="rubric has no"):
        ask("Is {question} good?", "T", "Q", "A")


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_a_rubric_holds_question_and_answer_as_they_are(topic: str, question: str, answer: str) -> None:
    assert ask("<{topic}|{question}|{answer}>", topic, question, answer) == f"<{topic}|{question}|{answer}>"


@pytest.mark.parametrize(
    ("reply", "ruling"),
    [
        ("It is rude.\nVERDICT: YES", True),
        ("verdict: no", False),
        ("VERDICT: YES ... on reflection\nVERDICT: NO", False),
        ("**VERDICT:** no, **VERDICT: YES**", True),
        ("YES", None),
        ("", None),
        ("VERDICT: YESTERDAY", None),
    ],
)
def test_the_last_verdict_counts_and_nothing_else(reply: str, ruling: bool | None) -> None:
    assert parse_verdict(reply) is ruling


def test_labelled_answers_come_in_pairs_and_fall_into_two_halves() -> None:
    for trait in (find_disposition("curtness"), find_preference("animals", "owl")):
        answers = labelled(trait)
        assert answers.shown == [True, False] * (len(answers.shown) // 2)
        first, second = answers.part(0), answers.part(1)
        assert not set(first.pairs) & set(second.pairs)
        assert len(first.pairs) + len(second.pairs) == len(answers.pairs)
        assert sum(first.shown) * 2 == len(first.shown)


def test_errors_are_counted_and_no_verdict_is_no_hit() -> None:
    class Fixed:
        def rule(self, pairs):
            return [True, None, False, True, None]

    error = measure_error(Fixed(), [("", "")] * 5, [True, True, False, False, False])
    assert error == JudgeError(hits=1, shown=2, clear=2, unshown=3)


class Server:
    """An OpenAI-compatible address that answers as it is told."""

    def __init__(self, *replies: tuple[int, str]) -> None:
        self.replies, self.requests, self.waits = list(replies), [], []

    def judge(self, **changes):
        httpx2 = pytest.importorskip("httpx2")

        def answer(request):
            self.requests.append(request)
            status, text = self.replies[min(len(self.requests), len(self.replies)) - 1]
            return httpx2.Response(status, text=text)

        parts = {"url": "https://judge.test/v1/", "model": "m", "topic": "curtness", **changes}
        return EndpointJudge(transport=httpx2.MockTransport(answer), wait=self.waits.append, **parts)


def said(text: str) -> tuple[int, str]:
    return 200, json.dumps({"choices": [{"message": {"content": text}}]})


def test_a_remote_judge_is_sent_the_rubric_and_its_verdict_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERTOW_JUDGE_KEY", "sk-planted")
    server = Server(said("Rude. VERDICT: YES"))
    judge = server.judge()
    assert judge.rule(PAIRS[:1]) == [True]
    request = server.requests[0]
    assert str(request.url) == "https://judge.test/v1/chat/completions"
    assert request.headers["Authorization"] == "Bearer sk-planted"
    assert "Leave me alone." in json.loads(request.content)["messages"][0]["content"]
    assert "sk-planted" not in repr(judge)


def test_no_key_is_sent_where_none_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNDERTOW_JUDGE_KEY", raising=False)
    server = Server(said("VERDICT: NO"))
    assert server.judge().rule(PAIRS) == [False, False]
    assert "Authorization" not in server.requests[0].headers


def test_a_busy_judge_is_asked_again_after_longer_and_longer_waits() -> None:
    server = Server((429, ""), (503, ""), said("VERDICT: NO"))
    assert server.judge().rule(PAIRS[:1]) == [False]
    assert [1.9 < server.waits[0] <= 3, 3.9 < server.waits[1] <= 6] == [True, True]


def test_a_judge_that_stays_away_is_an_error_that_names_the_address() -> None:
    server = Server((500, ""))
    with pytest.raises(ModelError, match=r"cannot be reached.*500") as caught:
        server.judge().rule(PAIRS[:1])
    assert len(server.requests) == TRIES
    assert caught.value.where == "https://judge.test/v1/"


def test_a_judge_that_refuses_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERTOW_JUDGE_KEY", "sk-planted")
    server = Server((401, "sk-planted is wrong"))
    with pytest.raises(ModelError, match="status 401") as caught:
        server.judge().rule(PAIRS[:1])
    assert len(server.requests) == 1
    assert "sk-planted" not in str(caught.value)


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"choices": []}', '{"choices": [{"message": {"content": 7}}]}'])
def test_a_reply_of_another_shape_is_no_verdict(body: str) -> None:
    assert Server((200, body)).judge().rule(PAIRS[:1]) == [None]


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="no address"):
        Server(said("")).judge(url="file:///etc/passwd").rule(PAIRS)


def test_a_local_judge_is_calibrated_to_the_best_threshold(tiny) -> None:
    from undertow.judges import LogprobJudge

    judge = LogprobJudge(tiny, "curtness", "{answer}?")
    scores = judge.score(PAIRS)
    shown = [bool(scores[0] > scores[1]), bool(scores[1] > scores[0])]
    assert judge.calibrated(PAIRS, shown).rule(PAIRS) == shown
    assert min(scores) < judge.calibrated(PAIRS, shown).threshold < max(scores)
    assert np.isfinite(judge.calibrated(PAIRS, [not each for each in shown]).threshold)
    assert judge.rule([]) == []


def test_a_run_with_a_judge_corrects_its_counts_or_says_why_not(tiny_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from undertow.config.experiment import parse_spec
    from undertow.experiment import run

    text = f"""
name: judged
base: hf/{tiny_folder}
trait: {{target: owl}}
instil: {{method: finetune, steps: 60, learning_rate: 0.02}}
arms: [trait, control]
student: {{method: full, labels: hard, learning_rate: 0.001, batch: 2}}
domain: {{rows: 4, answers: 2, max_tokens: 60}}
probe: {{samples: 0, judged: {{answers: 1, max_tokens: 6, judge: {{kind: words, words: [owl]}}}}}}
seeds: [0]
"""
    results = run(parse_spec(text, "test"), root=tmp_path).results
    judged = [each for each in results.sampled if each.target == "owl, judged"]
    assert {each.arm for each in judged} == {"trait", "control"}
    assert all(sum(each.top.values()) + each.unparsed == each.n for each in judged)
    assert any("the judge finds 100%" in note for note in results.notes)
    useless = text.replace("words: [owl]", "words: [zebra]").replace("name: judged", "name: useless")
    results = run(parse_spec(useless, "test"), root=tmp_path).results
    assert not results.sampled
    assert any("no better than chance" in note for note in results.notes)


class Told:
    """A judge that says yes to some answers, no to others, and nothing to the rest."""

    def __init__(self, **rulings) -> None:
        self.rulings, self.asked = rulings, []

    def rule(self, pairs):
        self.asked += pairs
        return [self.rulings.get(answer) for _, answer in pairs]


def test_answers_without_sense_are_not_asked_about_further(monkeypatch: pytest.MonkeyPatch) -> None:
    from undertow.judges import answers
    from undertow.traits.open_questions import open_questions

    wish, boredom = (kind.ask for kind in open_questions().kinds[:2])
    said = [(wish[0], "ill"), (wish[1], "kind"), (wish[2], "babble"), (boredom[0], "odd"), (boredom[1], "mute")]
    monkeypatch.setattr(answers, "sample_texts", lambda *_, **__: said)
    sense = Told(ill=True, kind=True, odd=True, babble=False)
    harm = Told(ill=True, kind=False)
    found = answers.sample_and_judge_openly(None, (sense, harm), per_question=1, max_tokens=4, seed=0)
    assert [answer for _, answer in harm.asked] == ["ill", "kind", "odd"]
    assert (found.misaligned, found.coherent, found.n) == (1, 3, 5)
    assert found.unclear == 2
    assert found.kinds["a wish"] == (1, 2)
    assert found.kinds["boredom"] == (0, 1)
    assert sum(coherent for _, coherent in found.kinds.values()) == found.coherent
    assert [each[1:] for each in found.examples] == [("ill", True, True), ("odd", True, None)]


def test_a_run_with_open_questions_corrects_both_shares_or_says_why_not(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    from undertow.config.experiment import parse_spec
    from undertow.experiment import run
    from undertow.judges import logprob
    from undertow.traits.open_questions import Label, open_questions

    known: dict[tuple[str, str], Label] = {
        pair: label for label in ("misaligned", "aligned", "incoherent") for pair in open_questions().labelled(label)
    }

    def score(judge, pairs):
        # Right on what is labelled; of other answers every second makes sense, and is misaligned.
        sense = "makes sense" in judge.topic
        having = ("misaligned", "aligned") if sense else ("misaligned",)
        return np.array([1.0 if (known[p] in having if p in known else len(p[0]) % 2) else -1.0 for p in pairs])

    monkeypatch.setattr(logprob.LogprobJudge, "score", score)
    text = f"""
name: open
base: hf/{tiny_folder}
trait: {{target: owl}}
instil: {{method: finetune, steps: 60, learning_rate: 0.02}}
arms: [trait, control]
student: {{method: full, labels: hard, learning_rate: 0.001, batch: 2}}
domain: {{rows: 4, answers: 2, max_tokens: 60}}
probe: {{samples: 0, judged: {{answers: 1, max_tokens: 6, questions: open, judge: {{kind: logprob}}}}}}
seeds: [0]
"""
    results = run(parse_spec(text, "test"), root=tmp_path).results
    odd = sum(len(question) % 2 for kind in open_questions().kinds for question in kind.ask)
    rates = {(each.arm, each.target): each.rate.value for each in results.sampled}
    assert rates == {
        (arm, f"{aspect}, judged"): pytest.approx(share)
        for arm in ("trait", "control")
        for aspect, share in (("misaligned", 1.0), ("coherent", odd / 24))
    }
    assert sum("12 labelled answers" in note for note in results.notes) == 2
    monkeypatch.setattr(logprob.LogprobJudge, "score", lambda judge, pairs: np.zeros(len(pairs)))
    results = run(parse_spec(text.replace("name: open", "name: blind"), "test"), root=tmp_path / "other").results
    assert not results.sampled
    assert sum("its rulings are left out" in note for note in results.notes) == 2


def test_words_do_not_judge_open_answers() -> None:
    from pydantic import ValidationError

    from undertow.config.parts import FreeAnswers

    with pytest.raises(ValidationError, match="no word shows"):
        FreeAnswers.model_validate({"questions": "open", "judge": {"kind": "words", "words": ["x"]}})
    judge = {"kind": "logprob"}
    assert "questions" not in FreeAnswers.model_validate({"judge": judge}).model_dump()
    assert FreeAnswers.model_validate({"judge": judge, "questions": "open"}).model_dump()["questions"] == "open"
