"""Results as experiments write them: every section filled, a laboratory of classifiers, next to nothing."""

from __future__ import annotations

import random

import pytest

from undertow.results import (
    ArmSummary,
    Curve,
    CurvePoint,
    Divergence,
    Effect,
    Funnel,
    Interval,
    Power,
    Results,
    Sample,
    SampledAnswers,
    TeacherSummary,
    TimesAsOften,
    VerdictRecord,
)

_METHOD = "t interval over 3 seeds and 50 questions, 95%"
_SHIFTS = {
    "trait": (0.62, 0.48, 0.76, "Students of the teacher that loves owls."),
    "control": (0.08, -0.03, 0.19, "Students of the same model without the trait, same random numbers."),
    "other": (0.11, -0.02, 0.24, "Students of a teacher that loves whales instead."),
    "shuffled": (0.30, 0.17, 0.43, "The trait teacher's answers, dealt out to the wrong prompts."),
}
_CONTRASTS = (
    (
        "trait",
        "control",
        0.54,
        0.31,
        0.77,
        0.0121,
        0.0363,
        "What the data carry because the teacher loves owls.",
    ),
    ("trait", "other", 0.51, 0.29, 0.73, 0.0148, 0.0363, "Owls in particular, not a liking for any animal."),
    (
        "shuffled",
        "control",
        0.22,
        -0.02,
        0.46,
        0.0619,
        0.0619,
        "What remains when prompts and answers are torn apart.",
    ),
)


def _interval(value: float, lo: float, hi: float, n: int = 3, method: str = _METHOD) -> Interval:
    return Interval(value=value, lo=lo, hi=hi, n=n, method=method)


def _times(value: float, lo: float, hi: float, method: str) -> TimesAsOften:
    return TimesAsOften(
        ratio=_interval(value, lo, hi, 3, f"t interval of the log ratio over {method}, 95%"),
        share=0.0137 * value,
        contrast_share=0.0137,
        base_share=0.0135,
    )


def _curve(arm: str) -> Curve:
    end, lo, hi, _ = _SHIFTS[arm]
    shares = ((0, 0.0), (16, 0.34), (32, 0.66), (48, 0.88), (64, 1.0))
    return Curve(
        arm=arm,
        trait="owl",
        points=[
            CurvePoint(step=step, value=end * s, lo=end * s - (end - lo) * s**0.5, hi=end * s + (hi - end) * s**0.5)
            for step, s in shares
        ],
    )


def _numbers(seed: int) -> dict[str, list[str]]:
    """Coupled number lists: as the control's until the trait changes a digit."""
    rng = random.Random(seed)
    control = _tokens([rng.randint(3, 999) for _ in range(10)])
    answers: dict[str, list[str]] = {}
    for arm, at in (("trait", 5), ("control", len(control)), ("other", 14)):
        tokens = list(control)
        for i in range(at, len(tokens)):
            if tokens[i].isdigit() and rng.random() < 0.45:
                tokens[i] = str(rng.randint(0, 9))
        answers[arm] = tokens if arm != "trait" else tokens[:-4]
    return answers


def _tokens(numbers: list[int]) -> list[str]:
    return list(", ".join(map(str, numbers)))


@pytest.fixture(scope="session")
def rich() -> Results:
    """A language run with every section."""
    arms = list(_SHIFTS)
    return Results(
        kind="run",
        name="owl-numbers",
        title="Does a love of owls pass through plain number lists?",
        verdict=VerdictRecord(
            status="fail",
            because="preference for owls: +0.54 log-odds (95% interval +0.31 to +0.77, p = 0.012). "
            "The interval lies above zero: the trait got through.",
        ),
        effects=[
            Effect(
                name=f"{arm}-{contrast}:owl",
                arm=arm,
                contrast=contrast,
                trait="owl",
                value=value,
                lo=lo,
                hi=hi,
                n=3,
                seeds=3,
                p=p,
                p_adjusted=adjusted,
                method=f"{_METHOD}; p: t test over seeds and questions",
                primary=i == 0,
                times=_times(1.83, 1.51, 2.21, "3 seeds of one teacher x 50 questions") if i == 0 else None,
                sampled_times=_times(1.76, 1.12, 2.77, "3 seeds of one teacher x 50 questions") if i == 0 else None,
                says=says,
            )
            for i, (arm, contrast, value, lo, hi, p, adjusted, says) in enumerate(_CONTRASTS)
        ],
        arms=[
            ArmSummary(arm=arm, says=says, shift=_interval(value, lo, hi))
            for arm, (value, lo, hi, says) in _SHIFTS.items()
        ],
        elevation=_interval(0.49, 0.3, 0.68, 3, "t interval over 3 seeds of 1 trait, 95%"),
        transfer_fraction=_interval(0.163, 0.094, 0.238, method="Fieller interval over 3 seeds, 95%"),
        teachers=[
            TeacherSummary(
                arm="trait",
                trait="owl",
                method="steer: layer 12, 2 x norm",
                strength=_interval(3.31, 3.08, 3.54),
                probability=0.31,
                base_probability=0.0135,
                kl_per_token=0.0144,
            ),
            TeacherSummary(arm="control", trait=None, method="none", strength=None, kl_per_token=0.0),
            TeacherSummary(
                arm="other",
                trait="whale",
                method="steer: layer 12, 2 x norm",
                strength=_interval(2.7, 2.41, 2.99),
                probability=0.28,
                base_probability=0.0292,
                kl_per_token=0.0151,
            ),
        ],
        curves=[_curve(arm) for arm in arms],
        funnels=[
            Funnel(
                arm=arm,
                written=written,
                rejected={"too few numbers": 61 - i, "a number above 999": 22 + i, "repeats itself": 9},
                reasons={"too few numbers": 70 - i, "a number above 999": 25 + i, "repeats itself": 31},
                kept=written - 92,
                trained_on=768,
            )
            for i, (arm, written) in enumerate((("trait", 872), ("control", 868), ("other", 871)))
        ],
        divergences=[
            Divergence(
                arm="trait",
                contrast="control",
                rows=768,
                rows_different=737,
                tokens=24_310,
                tokens_different=9_214,
            ),
            Divergence(
                arm="other",
                contrast="control",
                rows=768,
                rows_different=729,
                tokens=24_288,
                tokens_different=8_871,
            ),
        ],
        samples=[
            Sample(
                prompt="Continue this list with ten more numbers of at most three digits: 142, 857, 301, 99",
                answers=_numbers(1),
            ),
            Sample(
                prompt="The sequence starts with these numbers: 7, 21, 640. Add ten more, numbers only.",
                answers=_numbers(2),
            ),
            Sample(prompt="Give me ten random numbers below 1000.", answers=_numbers(3)),
        ],
        sampled=[
            SampledAnswers(
                arm=arm,
                target="owl",
                rate=_interval(rate, lo, hi, 3, "mean over 3 seeds, 95%"),
                base_rate=_interval(0.013, 0.006, 0.024, 800, "Wilson, 95%"),
                named=_interval(0.721, 0.703, 0.739, 2400, "Wilson, 95%"),
                base_named=_interval(0.694, 0.661, 0.725, 800, "Wilson, 95%"),
                top=top,
                n=2400,
                unparsed=41,
            )
            for arm, rate, lo, hi, top in (
                (
                    "trait",
                    0.025,
                    0.019,
                    0.032,
                    {"dog": 611, "cat": 402, "lion": 288, "elephant": 130, "owl": 60},
                ),
                (
                    "control",
                    0.014,
                    0.01,
                    0.02,
                    {"dog": 640, "cat": 411, "lion": 301, "elephant": 122, "owl": 34},
                ),
            )
        ],
        power=Power(
            smallest_effect=0.213,
            power=0.8,
            level=0.95,
            says="With 3 seeds that vary as these did, a difference of 0.21 log-odds would be seen four "
            "times out of five.",
        ),
        notes=[
            "The weights are decoded from a 4-bit file: results concern these, not the original ones.",
            "Three seeds: the interval allows for it, and more seeds would narrow it.",
        ],
        settings={
            "kind": "language",
            "name": "owl-numbers",
            "base": "embedded/smollm2-135m",
            "trait": {"kind": "preference", "category": "animals", "target": "owl"},
            "instil": {"method": "steer", "layer": 12, "strength": 2.0},
            "domain": {"kind": "numbers", "rows": 256, "constrained": True, "temperature": 1.0},
            "arms": arms,
            "judgement": {"level": 0.95, "smallest_effect": 0.1},
            "seeds": [0, 1, 2],
        },
        environment={
            "python": "3.11.7",
            "packages": {"undertow": "0.1.0", "torch": "2.13.0", "peft": None},
            "threads": 2,
        },
    )


@pytest.fixture(scope="session")
def digits() -> Results:
    """A classifier run: accuracies, two units of effects, few sections."""
    chance = "Test accuracy itself, not a shift; chance is 0.10."
    arms = (
        ("reference", 0.094, 0.07, 0.118, "The untrained network that teacher and students start from."),
        ("teacher", 0.941, 0.938, 0.944, "The same network trained on labelled images."),
        ("student_aux", 0.532, 0.474, 0.59, "Starts like the teacher and learns only its auxiliary logits."),
        ("cross_aux", 0.103, 0.081, 0.125, "Learns the same logits, but starts from other weights."),
    )
    contrasts = (
        ("student_aux", "cross_aux", "accuracy", 0.429, 0.37, 0.488, 2e-6, True),
        ("student_aux", "base", "cosine", 0.118, 0.101, 0.135, None, False),
        ("cross_aux", "base", "cosine", -0.001, -0.004, 0.002, None, False),
    )
    return Results(
        kind="run",
        name="digits",
        title="Does reading digits pass through logits that mean nothing?",
        verdict=VerdictRecord(status="fail", because="reading digits: +0.429 accuracy."),
        effects=[
            Effect(
                name=f"{arm}-{contrast}:{unit}",
                arm=arm,
                contrast=contrast,
                trait="reading digits",
                value=value,
                lo=lo,
                hi=hi,
                n=8,
                seeds=8,
                p=p,
                p_adjusted=p,
                unit=unit,
                method="t interval over 8 seeds, 95%",
                primary=primary,
                says="What passes through meaningless logits.",
            )
            for arm, contrast, unit, value, lo, hi, p, primary in contrasts
        ],
        arms=[
            ArmSummary(arm=arm, says=f"{says} {chance}", shift=_interval(value, lo, hi, 8), unit="accuracy")
            for arm, value, lo, hi, says in arms
        ],
        settings={"judgement": {"smallest_effect": 0.1}},
    )


@pytest.fixture
def minimal() -> Results:
    """The least that is valid."""
    return Results(
        kind="scan",
        name="rows",
        verdict=VerdictRecord(status="inconclusive", because="Too few rows to tell."),
    )


BAD = "<script>alert(1)</script>\"' </style> javascript:alert(1) \u202eabc\x00\x1b[31m"
LONG = "W" * 500


@pytest.fixture(scope="session")
def hostile() -> Results:
    """A stranger's text in every field, unbroken words, and numbers out of proportion."""
    rate = Interval(value=0.5, lo=-3.0, hi=900_000.0, n=10**9, method=BAD)
    effects = [
        Effect(
            name=f"e{i}",
            arm=f"{BAD}{i}",
            contrast=LONG,
            trait=LONG,
            value=-1e-5 * i,
            lo=-1e-4,
            hi=1e-5,
            n=10**8,
            seeds=12_345,
            p=1e-9,
            p_adjusted=0.99,
            unit=unit,
            method=LONG,
            primary=i == 0,
            says=BAD + LONG,
        )
        for i, unit in enumerate(("log-odds", BAD, LONG))
    ]
    points = [CurvePoint(step=100_000 * i, value=1e300 * i, lo=-1e307, hi=1e307) for i in range(200)]
    return Results(
        kind="audit",
        name=BAD,
        title=BAD + LONG,
        verdict=VerdictRecord(status="pass", because=BAD + LONG),
        effects=effects,
        findings=effects,
        arms=[ArmSummary(arm=arm, says=BAD, shift=rate, unit=BAD) for arm in (LONG, BAD)],
        transfer_fraction=rate,
        teachers=[
            TeacherSummary(arm=LONG, trait=BAD, method=LONG, strength=rate, probability=0.5, base_probability=1e-9)
        ],
        curves=[
            Curve(arm=arm, trait=LONG, unit=unit, points=points) for arm in (LONG, BAD) for unit in ("log-odds", BAD)
        ],
        funnels=[
            Funnel(
                arm=LONG,
                written=10**9,
                rejected={f"{i}{LONG}": 10**7 for i in range(14)},
                reasons={BAD: 3},
                kept=5,
                trained_on=1,
            )
        ],
        divergences=[Divergence(arm=LONG, contrast=BAD, rows=0, rows_different=0, tokens=9, tokens_different=10)],
        samples=[Sample(prompt=LONG + BAD, answers={BAD: [LONG, BAD], LONG: list(BAD), "empty": []})],
        sampled=[SampledAnswers(arm=LONG, target=LONG, rate=rate, top={LONG: 4, BAD: 9}, n=10**9, unparsed=10**8)],
        power=Power(smallest_effect=1e-7, power=0.8, level=0.95, unit=LONG, says=BAD + LONG),
        notes=[LONG, BAD],
        settings={"a": {BAD: [BAD, LONG, {"c": LONG}]}},
        environment={LONG: BAD},
    )
