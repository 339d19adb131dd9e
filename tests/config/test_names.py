"""Names in an experiment file: old spellings stay accepted, and stored files do not change."""

from __future__ import annotations

from undertow.config.experiment import GradientAscent, LanguageExperiment, parse_spec
from undertow.config.registries import WITHOUT_PLUGINS

OWL = "name: owls\ntrait: {target: owl}\narms: [trait, control]\ninstil: {method: METHOD, steps: 3}\n"


def test_gradient_ascent_has_an_old_spelling_under_which_it_is_stored() -> None:
    notes: list[str] = []
    old = parse_spec(OWL.replace("METHOD", "climb"), "owls.yaml", note=notes.append)
    assert len(notes) == 1
    assert "now called 'gradient-ascent'" in notes[0]
    new = parse_spec(OWL.replace("METHOD", "gradient-ascent"), "owls.yaml", note=notes.append)
    assert len(notes) == 1
    assert old == new
    assert isinstance(new, LanguageExperiment)
    assert new.instil == GradientAscent(method="gradient-ascent", steps=3)
    stored = new.model_dump(mode="json")
    assert stored["instil"] == {"method": "climb", "steps": 3, "distance": 0.2}
    assert LanguageExperiment.model_validate(stored) == new


def test_settings_that_name_absent_plugins_can_be_read_without_them() -> None:
    settings = {
        "name": "owls",
        "trait": {"kind": "absent-trait"},
        "instil": {"method": "absent-method", "options": {"a": 1}},
        "domain": {"kind": "absent-domain", "judge": {"kind": "absent-judge"}},
        "arms": ["trait", "control"],
    }
    spec = LanguageExperiment.model_validate(settings, context=dict(WITHOUT_PLUGINS))
    assert spec.domain.kind == "absent-domain"
    assert spec.trait.kind == "absent-trait"
