"""The list, the comparison and the reports as they are answered: found, ordered, side by side, under their policies."""

from pathlib import Path
from typing import Any

import pytest

import stored_results
from undertow.results import AuditRecord, Effect, Results, SamplingPlan, VerdictRecord
from undertow.view.comparison import comparison
from undertow.view.library import Library
from undertow.view.listing import Wanted, listing
from undertow.view.site import PAGE_POLICY, REPORT_POLICY, answer


def text(root: Path, target: str, status: int = 200) -> str:
    found = answer(Library(root), target)
    assert found.status == status, found.body.decode()
    return found.body.decode()


def names(root: Path, **wanted: str) -> list[str]:
    return [line.name for line in listing(Library(root).entries(), Wanted(**wanted)).lines]


def test_the_list_names_every_run_and_every_one_that_is_none(runs: Path) -> None:
    page = text(runs, "/")
    for part in ("Do owls pass?", "Once more", "rows.jsonl", "+0.54", "half-44444444", "torn-55555555", "1 begun"):
        assert part in page
    assert page.count('type="checkbox"') == 3


def test_words_a_verdict_and_an_order_narrow_the_list(runs: Path) -> None:
    assert sorted(names(runs, words="OWL run")) == ["later/again-22222222", "owls-11111111"]
    assert names(runs, words="whale") == ["later/again-22222222"]
    assert names(runs, status="inconclusive") == ["rows-33333333"]
    assert names(runs, sort="effect")[0] == "owls-11111111"
    assert names(runs, sort="title") == ["owls-11111111", "later/again-22222222", "rows-33333333"]
    assert names(runs, sort="verdict")[0] == "owls-11111111"
    assert names(runs, words="nothing like it") == []
    assert "No run fits" in text(runs, "/?q=nothing+like+it")


def test_the_order_and_the_words_stay_in_the_links(runs: Path) -> None:
    page = text(runs, "/?q=owl&sort=title&verdict=nonsense")
    assert 'href="/?q=owl&amp;verdict=fail&amp;sort=title"' in page
    assert 'value="owl"' in page
    assert "nonsense" not in page


def test_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    assert "undertow run" in text(tmp_path, "/")


def test_two_runs_stand_side_by_side(runs: Path) -> None:
    page = text(runs, "/compare?run=owls-11111111&run=later%2Fagain-22222222")
    for part in ("+0.54", "+0.20", "1 of 2 effects was measured", "trait.target", "whale", "not measured"):
        assert part in page
    assert "Both are the same run" in text(runs, "/compare?run=owls-11111111&run=owls-11111111")


def test_effects_are_matched_by_what_they_measure() -> None:
    first = stored_results.run(stored_results.effect("owl", 1.0), stored_results.effect("fox", 0.5))
    second = stored_results.run(stored_results.effect("owl", 0.3), stored_results.effect("owl", 0.1, unit="accuracy"))
    both = comparison(first, second)
    assert [plot.unit for plot in both.plots] == ["log-odds", "accuracy"]
    owl, fox = both.plots[0].pairs
    assert owl.first is not None
    assert owl.second is not None
    assert (owl.trait, owl.first.value, owl.second.value) == ("owl", "+1.00", "+0.30")
    assert fox.second is None
    assert both.says == "1 of 3 effects was measured in both runs and comes first."
    assert comparison(first, first).says == "Every effect was measured in both runs."
    assert comparison(first, first).settings == []


def _measured(trait: str, value: float, contrast: str = "control") -> Effect:
    name = f"student-{contrast}:{trait}"
    return stored_results.effect(trait, value, name=name, arm="student", contrast=contrast, seeds=1)


def _audit(*findings: Effect, **more: Any) -> Results:
    verdict = VerdictRecord(status="fail", because="owls")
    return Results(kind="audit", name="student", verdict=verdict, findings=list(findings), **more)


def test_a_scans_predictions_stand_beside_what_an_audit_measured() -> None:
    names = [f"animals:{name}" for name in ("owl", "fox", "bear", "cat", "dog")]
    scan = stored_results.scan(*(stored_results.finding(name, 0.1 * at) for at, name in enumerate(names)))
    audit = _audit(*(_measured(name, 0.2 * at**2) for at, name in enumerate(names)))
    both = comparison(scan, audit)
    assert both.says.startswith("Every effect was measured in both runs.")
    assert "rank correlation of +1.00" in both.says
    assert [pair.trait for pair in both.plots[0].pairs] == names
    assert {pair.arm for pair in both.plots[0].pairs} == {"rows minus base / student minus control"}
    assert all(pair.first and pair.second and not pair.minus for pair in both.plots[0].pairs)
    assert "rank correlation" not in comparison(scan, scan).says


def test_a_scans_predictions_find_the_trait_of_an_experiment() -> None:
    scan = stored_results.scan(stored_results.finding("animals:owl", 0.3), stored_results.finding("trees:oak", 0.1))
    other = stored_results.effect("owl", 9.0, name="paraphrased-control:owl", arm="paraphrased")
    run = stored_results.run(other, stored_results.effect("owl", 0.4, primary=True))
    owl, *alone = comparison(scan, run).plots[0].pairs
    assert owl.first is not None
    assert owl.second is not None
    assert (owl.trait, owl.first.value, owl.second.value) == ("owl", "+0.30", "+0.40")
    assert owl.arm == "rows minus base / trait minus control"
    assert [(each.trait, each.arm, each.minus) for each in alone] == [
        ("trees:oak", "rows", "base"),
        ("owl", "paraphrased", "control"),
    ]


def test_targets_that_two_entries_share_are_not_guessed() -> None:
    scan = stored_results.scan(stored_results.finding("animals:owl", 0.3), stored_results.finding("birds:owl", 0.1))
    assert not any(pair.first and pair.second for pair in comparison(scan, stored_results.run()).plots[0].pairs)


def test_what_any_training_does_and_what_was_sampled_are_not_what_a_scan_foretells() -> None:
    scan = stored_results.scan(stored_results.finding("animals:owl", 0.3))
    record = AuditRecord(
        base="a",
        student="b",
        capability=[],
        lineage="unknown",
        lineage_because="an address has no weights",
        adapter="",
        sampling=SamplingPlan(answers={}, requests=0, tokens_in=0, tokens_out=0, cost=None, smallest_effect=0.5),
    )
    sampled = _audit(_measured("animals:owl", 3.0), audit=record)
    for other in (_audit(_measured("animals:owl", 0.5, "base")), sampled):
        assert not any(pair.first and pair.second for pair in comparison(scan, other).plots[0].pairs)


def test_what_a_method_took_away_is_no_prediction_fulfilled() -> None:
    scan = stored_results.scan(stored_results.finding("owl", 0.3))
    method = stored_results.effect("owl", 0.2, name="freeze", arm="freeze", contrast="none")
    mitigated = stored_results.run(method).model_copy(update={"kind": "mitigate"})
    assert not any(pair.first and pair.second for pair in comparison(scan, mitigated).plots[0].pairs)


def test_only_settings_that_differ_are_shown() -> None:
    first = stored_results.run(settings={"a": 1, "b": {"c": [1, 2], "d": "x"}})
    second = stored_results.run(settings={"a": 1, "b": {"c": [1], "d": "x"}, "e": None})
    both = comparison(first, second)
    assert [(each.key, each.first, each.second) for each in both.settings] == [
        ("b.c", "[1, 2]", "[1]"),
        ("e", "—", "null"),
    ]
    assert both.same_settings == 2


def test_a_report_is_sent_as_it_is_and_made_where_there_is_none(runs: Path) -> None:
    assert "because of this" in text(runs, "/report?run=owls-11111111")
    (runs / "owls-11111111" / "report.html").write_text("<script>alert(1)</script>")
    found = answer(Library(runs), "/report?run=owls-11111111")
    assert found.body == b"<script>alert(1)</script>"
    assert found.policy == REPORT_POLICY
    assert "sandbox" in REPORT_POLICY
    assert "default-src 'none'" in REPORT_POLICY
    for allowed in ("script-src", "allow-scripts", "connect-src", "*"):
        assert allowed not in REPORT_POLICY + PAGE_POLICY


def test_results_are_sent_as_they_are(runs: Path) -> None:
    found = answer(Library(runs), "/results?run=owls-11111111")
    assert found.body == (runs / "owls-11111111" / "results.json").read_bytes()
    assert found.kind == "application/json"


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/compare", 400),
        ("/compare?run=owls-11111111", 400),
        ("/compare?run=owls-11111111&run=half-44444444", 404),
        ("/compare?run=owls-11111111&run=none", 404),
        ("/report?run=torn-55555555", 404),
        ("/report?run=../elsewhere/secret-66666666", 404),
        ("/report?run=%2e%2e%2felsewhere%2fsecret-66666666", 404),
        ("/report?run=/etc/passwd", 404),
        ("/report?run=%00", 404),
        ("/../../etc/passwd", 404),
        ("/style.css/..", 404),
        ("/report?" + "&".join(f"run={n}" for n in range(30)), 400),
        ("/?q=" + "x" * 9000, 400),
        ("http://example.org/", 400),
        ("//example.org/", 400),
        ("http://[", 400),
    ],
)
def test_what_is_not_there_is_refused(runs: Path, secret: Path, target: str, status: int) -> None:
    assert "nobody may see this" not in text(runs, target, status)


def test_a_run_that_goes_away_between_list_and_click_is_an_answer(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library(runs)
    entries = library.entries()
    monkeypatch.setattr(library, "entries", lambda: entries)
    (runs / "owls-11111111" / "results.json").unlink()
    assert answer(library, "/report?run=owls-11111111").status == 500


def test_the_servers_own_pages_hold_no_script_and_no_style(runs: Path) -> None:
    for target in ("/", "/compare?run=owls-11111111&run=rows-33333333", "/none"):
        page = answer(Library(runs), target)
        assert page.policy == PAGE_POLICY
        for forbidden in (b"<script", b"<style", b" style=", b"onclick", b"http://", b"https://"):
            assert forbidden not in page.body.replace(b"http://www.w3.org/2000/svg", b"")
