import numpy as np
import pytest

pytest.importorskip("torch")

from undertow.models.local import LocalModel
from undertow.probes.choice import choice_logprobs
from undertow.probes.odds import log_odds
from undertow.probes.panel import asked_logprobs, odds_of, panel_log_odds, second_log_odds, trait_names
from undertow.traits.disposition import find_disposition
from undertow.traits.panel import load_panel
from undertow.traits.wordings import Question, questions_of


def test_first_wordings_give_the_log_odds_of_the_probe(tiny: LocalModel) -> None:
    panel = load_panel(["trees", "gloom"])
    found = panel_log_odds(tiny, panel, questions=4)
    at = 0
    for entry in panel:
        places = [round(k * (len(entry.probe) - 1) / 3) for k in range(4)]
        logp_QC = choice_logprobs(tiny, [entry.probe[place] for place in places])
        for trait in entry.traits:
            np.testing.assert_array_equal(found[at], log_odds(logp_QC, trait.index))
            at += 1
    assert at == len(found) == len(trait_names(panel))


def test_second_wordings_ask_each_trait_where_an_answer_shows_it(tiny: LocalModel) -> None:
    panel = load_panel(["trees", "falsehoods"])
    found = panel_log_odds(tiny, panel, wordings="second")
    trees = questions_of(panel[0], "second")
    # 8 words, 8 sentences, and each candidate in 2 pairs of each of 4 templates.
    assert [len(each) for each in found[:12]] == [24] * 12
    assert len(found[12]) == len(questions_of(panel[1], "second"))
    # The two of a pair are each other's odds.
    logp_Q = asked_logprobs(tiny, trees)
    pair = next(at for at, each in enumerate(trees) if each.form == "pair")
    one, other = (odds_of([trees[pair]], [logp_Q[pair]], str(name)) for name in trees[pair].shows)
    np.testing.assert_allclose(one, -other)
    assert one == pytest.approx(float(logp_Q[pair][0] - logp_Q[pair][1]))


def test_a_trait_has_the_second_log_odds_of_its_entry_and_its_opposite_the_negative(tiny: LocalModel) -> None:
    panel = load_panel(["trees", "misalignment"])
    found = panel_log_odds(tiny, panel, wordings="second")
    pine = next(at for at, trait in enumerate(panel[0].traits) if trait.target == "pine")
    np.testing.assert_array_equal(second_log_odds(tiny, panel[0].traits[pine]), found[pine])
    np.testing.assert_array_equal(second_log_odds(tiny, find_disposition("misalignment")), found[12])
    np.testing.assert_array_equal(second_log_odds(tiny, find_disposition("misalignment", opposite=True)), -found[12])


def test_log_odds_keep_the_order_of_the_questions() -> None:
    asked = [
        Question("pair", "p", ("A", "B"), ("a", "b")),
        Question("word", "w", ("A", "B", "C"), ("a", "b", "c")),
        Question("pair", "q", ("B", "A"), ("b", "a")),
        Question("pair", "r", ("B", "C"), ("b", "c")),
    ]
    logp_Q = [np.log([0.8, 0.2]), np.log([0.5, 0.3, 0.2]), np.log([0.6, 0.4]), np.log([0.9, 0.1])]
    np.testing.assert_allclose(odds_of(asked, logp_Q, "a"), np.log([4, 1, 2 / 3]))
    np.testing.assert_allclose(odds_of(asked, logp_Q, "c"), np.log([1 / 4, 1 / 9]))
