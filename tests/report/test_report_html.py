"""The page: the answer first, sections with something to say, strangers' text harmless, always small."""

import html
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.report import render_html
from undertow.report.limits import MAX_BYTES
from undertow.report.words import visible
from undertow.results import (
    ArmSummary,
    Curve,
    CurvePoint,
    Effect,
    Funnel,
    Interval,
    Results,
    Sample,
    SampledAnswers,
    TeacherSummary,
    VerdictRecord,
)

TAGS = set(
    re.findall(
        r"\w+",
        """
    html head meta link title style body header footer main nav section article
    h1 h2 h3 p div span b a ul li mark code pre figure figcaption details summary
    table thead tbody tr th td
    svg path circle rect line polyline polygon text g
    """,
    )
)
ORDER = [
    *("arms", "contrasts", "often", "teachers", "curves", "funnel", "coupling"),
    *("samples", "sampled", "power", "notes", "settings"),
]
TEXT = st.one_of(
    st.text(min_size=1, max_size=80),
    st.text(alphabet="<>&\"'/= \u202e\x00abscriptylmn-!", min_size=1, max_size=80),
    st.sampled_from(
        [
            "</style><script>alert(1)</script>",
            "{{ page }}{% raw %}",
            "<!--",
            "]]>",
            '"onload="x',
            "</pre>",
            "&lt;",
        ]
    ),
)


class Page(HTMLParser):
    """The tags, attributes and texts of a page."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(key, value or "") for key, value in attrs]
        self.ids += [value or "" for key, value in attrs if key == "id"]
        if tag not in ("meta", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def _text(source: str) -> str:
    return " ".join("".join(Page(source).texts).split())


def _answers(source: str) -> list[str]:
    """The text of every answer, tags removed."""
    return [
        html.unescape(re.sub(r"<[^>]+>", "", found)) for found in re.findall(r'<p class="text">(.*?)</p>', source, re.S)
    ]


def test_the_answer_comes_first(rich: Results) -> None:
    text = _text(render_html(rich))
    answer = text[: text.index("Where each arm ended")]
    places = [
        answer.index(words)
        for words in (
            "Does a love of owls pass through plain number lists? FAIL",
            "A hidden trait got through",
            "The interval lies above zero",
            "1.72 times those of control",
            "+0.54 log-odds 95% interval +0.31 to +0.77",
            "p = 0.012 · 3 seeds · n = 3",
        )
    ]
    assert places == sorted(places)


def test_every_section_appears_in_order(rich: Results) -> None:
    page = Page(render_html(rich, timing={"teacher": 3.0}))
    assert page.ids == ORDER
    assert [value for key, value in page.attributes if key == "href" and value != "data:,"] == [
        f"#{name}" for name in ORDER
    ]
    assert page.open == []


def test_sections_with_nothing_to_show_are_absent(minimal: Results) -> None:
    page = Page(render_html(minimal))
    assert page.ids == []
    assert "h2" not in page.tags
    text = " ".join("".join(page.texts).split())
    assert "INCONCLUSIVE" in text
    assert "cannot tell" in text
    assert "not a pass" in text


@pytest.mark.parametrize("kind", ["run", "scan", "audit", "mitigate"])
@pytest.mark.parametrize("status", ["pass", "fail", "inconclusive"])
def test_every_answer_is_explained(minimal: Results, kind: str, status: str) -> None:
    verdict = VerdictRecord.model_validate({"status": status, "because": "Because."})
    text = _text(render_html(minimal.model_copy(update={"kind": kind, "verdict": verdict})))
    assert status.upper() in text
    said = {"pass": "ruled out", "fail": "through", "inconclusive": "cannot tell"}[status]
    if kind == "audit" and status == "fail":
        said = "has acquired something"
    if kind == "mitigate":
        said = {"pass": "A method removes", "fail": "No method", "inconclusive": "none does so for sure"}[status]
    assert said in text


def test_units_do_not_share_an_axis(digits: Results) -> None:
    text = _text(render_html(digits))
    assert text.index("In accuracy") < text.index("In cosine")
    assert text.count("chance is 0.10") == 1
    assert "0.941 0.938 to 0.944" in text
    assert "43 more right answers in every hundred than cross_aux" in text
    assert "student_aux minus base" not in text


def test_what_the_verdict_rests_on_is_first_and_marked(digits: Results) -> None:
    backwards = digits.model_copy(update={"effects": digits.effects[::-1]})
    text = _text(render_html(backwards))
    assert text.index("In accuracy") < text.index("In cosine")
    assert text.count("the verdict rests on this") == 1
    assert re.search(r"student_aux minus cross_aux ?reading digits ?the verdict rests on this", text)


def test_the_target_is_named_among_the_answers(rich: Results) -> None:
    assert _text(render_html(rich)).count("owl the target") == 2


def test_findings_are_shown(minimal: Results, rich: Results) -> None:
    text = _text(render_html(minimal.model_copy(update={"findings": rich.effects})))
    assert "Findings The strongest first" in text
    assert "+0.54" in text


def test_differing_tokens_are_marked(minimal: Results) -> None:
    sample = Sample(
        prompt="More numbers.",
        answers={"trait": ["1", "7", ",", "9"], "control": ["1", "2", ",", "9"]},
    )
    source = render_html(minimal.model_copy(update={"samples": [sample]}))
    assert '<p class="text">12,9</p>' in source
    assert '<p class="text">1<mark>7</mark>,9</p>' in source
    assert source.index("control") < source.index("<mark>7")
    style = source[: source.index("</style>")]
    assert re.search(r"\nmark \{[^}]*text-decoration: underline", style), "colour alone does not reach everybody"


def test_without_a_control_the_first_arm_is_the_reference(minimal: Results) -> None:
    sample = Sample(prompt="?", answers={"a": ["x"], "b": ["y"]})
    source = render_html(minimal.model_copy(update={"samples": [sample]}))
    assert '<p class="text">x</p>' in source
    assert '<p class="text"><mark>y</mark></p>' in source


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=6), max_size=12), st.lists(st.text(max_size=6), max_size=12))
def test_an_answer_is_shown_letter_by_letter(one: list[str], two: list[str]) -> None:
    results = Results(
        kind="run",
        name="x",
        verdict=VerdictRecord(status="pass", because="x"),
        samples=[Sample(prompt="?", answers={"control": one, "trait": two})],
    )
    assert _answers(render_html(results)) == [visible("".join(one)), visible("".join(two))]


def _everywhere(text: str) -> Results:
    """The same text in every field that comes from data, models or people."""
    estimate = Interval(value=0.5, lo=0.4, hi=0.6, n=3, method=text)
    return Results(
        kind="run",
        name=text,
        title=text,
        verdict=VerdictRecord(status="fail", because=text),
        effects=[
            Effect(
                name="e", arm=text, contrast="base", trait=text, value=1, lo=0, hi=2, n=3, seeds=3, p=0.1,
                unit=text, method=text, primary=True, says=text,
            )
        ],
        arms=[ArmSummary(arm=text, says=text, shift=estimate, unit=text)],
        teachers=[TeacherSummary(arm=text, trait=text, method=text, strength=estimate)],
        curves=[Curve(arm=text, trait=text, unit=text, points=[CurvePoint(step=1, value=1, lo=0, hi=2)])],
        funnels=[Funnel(arm=text, written=1, rejected={text: 1}, kept=0, trained_on=0)],
        samples=[Sample(prompt=text, answers={text: [text], f"{text}.": [text]})],
        sampled=[SampledAnswers(arm=text, target=text, rate=estimate, top={text: 1}, n=1, unparsed=0)],
        notes=[text],
        settings={text: {"nested": [text]}},
        environment={text: text},
    )  # fmt: skip


PLAIN = Page(render_html(_everywhere("plain")))


@settings(max_examples=60, deadline=None)
@given(TEXT)
def test_no_text_becomes_a_tag(text: str) -> None:
    page = Page(render_html(_everywhere(text)))
    assert page.tags == PLAIN.tags
    assert [key for key, _ in page.attributes] == [key for key, _ in PLAIN.attributes]
    assert page.open == []
    assert visible(text) in "".join(page.texts)


def test_hostile_text_stays_text(hostile: Results) -> None:
    source = render_html(hostile, timing={"<script>": 1.0})
    page = Page(source)
    assert set(page.tags) <= TAGS
    assert "<script" not in source.lower()
    assert source.lower().count("</style>") == 1
    assert "\u202e" not in source
    assert "\\u202e" in source
    assert not [key for key, _ in page.attributes if key.startswith("on")]
    assert not [value for key, value in page.attributes if value.lower().startswith("javascript")]


@pytest.mark.parametrize("name", ["rich", "digits", "minimal", "hostile"])
def test_nothing_is_asked_for(name: str, request: pytest.FixtureRequest) -> None:
    source = render_html(request.getfixturevalue(name))
    page = Page(source)
    assert {key for key, _ in page.attributes} & {
        "src",
        "srcset",
        "action",
        "data",
        "xlink:href",
        "poster",
    } == set()
    assert all(value.startswith("#") or value == "data:," for key, value in page.attributes if key == "href")
    style = source[: source.index("</style>")]
    assert "url(" not in style
    assert "http:" not in style
    policy = next(value for key, value in page.attributes if "default-src" in value)
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")
    assert set(page.tags) <= TAGS


def test_same_input_same_bytes(rich: Results) -> None:
    again = Results.model_validate_json(rich.to_json())
    assert render_html(rich, timing={"a": 1.0}) == render_html(again, timing={"a": 1.0})


def test_settings_are_readable_yaml(rich: Results) -> None:
    source = html.unescape(render_html(rich))
    assert "instil:\n  method: steer\n  layer: 12\n" in source
    assert "peft: null" in source


def test_time_appears_only_when_given(rich: Results) -> None:
    assert "Time taken" not in render_html(rich)
    assert "13 min 32 s" in render_html(rich, timing={"teacher": 812.4})


def test_long_samples_are_cut_and_say_so(minimal: Results) -> None:
    sample = Sample(prompt="p" * 5000, answers={"control": ["12, "] * 2000})
    text = _text(render_html(minimal.model_copy(update={"samples": [sample] * 40})))
    assert "… 28 more prompts, see rows/*.jsonl in the run folder" in text
    assert "… 7,300 more characters, see rows/*.jsonl in the run folder" in text


def test_a_page_stays_small_whatever_it_holds(hostile: Results) -> None:
    nasty = '<&"\u202e' * 5000
    estimate = Interval(value=0.5, lo=0.4, hi=0.6, n=3, method=nasty)
    monster = hostile.model_copy(
        update={
            "effects": [
                effect.model_copy(update={"says": nasty, "arm": f"{i}{nasty}", "unit": f"{i % 20}{nasty}"})
                for i in range(150)
                for effect in hostile.effects
            ],
            "findings": hostile.findings * 50,
            "arms": [ArmSummary(arm=f"{i}{nasty}", says=nasty, shift=estimate) for i in range(200)],
            "curves": [
                curve.model_copy(update={"arm": f"{i}{nasty}", "trait": f"{i % 30}{nasty}"})
                for i in range(60)
                for curve in hostile.curves
            ],
            "funnels": [f.model_copy(update={"arm": f"{i}{nasty}"}) for i in range(60) for f in hostile.funnels],
            "samples": [Sample(prompt=nasty, answers={f"{i}{nasty}": [nasty] for i in range(20)})] * 60,
            "notes": [nasty] * 300,
            "settings": {f"{i}{nasty[:90]}": nasty for i in range(20)},
        }
    )
    source = render_html(monster, timing={f"{i}{nasty}": 1.0 for i in range(100)})
    assert len(source.encode()) < MAX_BYTES
    assert set(Page(source).tags) <= TAGS


def test_the_package_loads_without_jinja() -> None:
    check = "import sys, undertow.report; sys.exit('jinja2' in sys.modules or 'pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_how_often_is_said_beside_log_odds_and_by_whom(rich: Results) -> None:
    texts = Page(render_html(rich)).texts
    said = " ".join(" ".join(texts).split())
    for each in (
        "1.83 (1.51 to 2.21) times as often",  # in the headline
        "1.83 times as often",  # beside the log-odds
        "by probability. t interval of the log ratio over 3 seeds of one teacher x 50 questions, 95%",
        "by sampled answers.",
        "The trait stands +0.49 log-odds (+0.30 to +0.68) above what its students do",
        "Any candidate is named in 72%, by the base in 69%.",
    ):
        assert each in said
    assert "2.5%" in said


def test_results_of_before_have_no_section_on_how_often(rich: Results) -> None:
    effects = [each.model_copy(update={"times": None, "sampled_times": None}) for each in rich.effects]
    page = Page(render_html(rich.model_copy(update={"effects": effects})))
    assert "often" not in page.ids
    assert "contrasts" in page.ids
