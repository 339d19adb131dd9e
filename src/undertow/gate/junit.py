"""A decision in JUnit's XML, which CI servers show: one case a rule.

A rule that fails is a `<failure>`; one that nothing can be said of is an `<error>`, since CI servers count a skipped
case as good. It knows nothing of results but their name.

    to_junit(decide(results, policy), suite="run owls")
"""

from __future__ import annotations

from xml.etree import ElementTree

from undertow.gate.decide import Decision, Status
from undertow.report.words import clip, visible

_MAX_NAME, _MAX_TEXT = 300, 4000
_TAGS: dict[Status, str] = {"fail": "failure", "inconclusive": "error"}


def to_junit(decision: Decision, *, suite: str) -> str:
    """Return the XML.

    Args:
        decision: What became of the rules.
        suite: What they were held against, such as `scan rows.jsonl`.
    """
    counts = {
        "tests": str(len(decision.outcomes)),
        "failures": str(sum(outcome.status == "fail" for outcome in decision.outcomes)),
        "errors": str(sum(outcome.status == "inconclusive" for outcome in decision.outcomes)),
    }
    name = _text(suite, _MAX_NAME)
    root = ElementTree.Element("testsuites", {"name": "undertow gate", **counts, "time": "0"})
    cases = ElementTree.SubElement(root, "testsuite", {"name": name, **counts, "skipped": "0", "time": "0"})
    for outcome in decision.outcomes:
        rule = {"classname": name, "name": _text(outcome.rule, _MAX_NAME), "time": "0"}
        case = ElementTree.SubElement(cases, "testcase", rule)
        because = _text(outcome.because, _MAX_TEXT)
        if outcome.status == "pass":
            ElementTree.SubElement(case, "system-out").text = because
        else:
            said = {"message": clip(because, _MAX_NAME), "type": outcome.status}
            ElementTree.SubElement(case, _TAGS[outcome.status], said).text = because
    ElementTree.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _text(text: str, size: int) -> str:
    # XML has no way to write most control characters, so they are shown by their code.
    return clip(visible(text), size)
