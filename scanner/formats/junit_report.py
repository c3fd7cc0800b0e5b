"""A scan result as JUnit XML, for a build's list of tests: a suite for each rule.

Source: the schema of the Jenkins xUnit plugin, which most readers follow.
"""

from collections import defaultdict
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from scanner.display import visible
from scanner.finding import Finding, Outcome, RuleTally
from scanner.inventory import by_collection, is_complete
from scanner.result import ScanResult
from scanner.words import in_words


def render_junit(result: ScanResult) -> str:
    """Render a test case for each finding: failed if violated, else skipped; and one error a gap.

    A rule that every key keeps is a suite with one case: passed, but skipped in an incomplete scan.
    """
    of_rule: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in result.findings:
        of_rule[finding.rule.id].append(finding)
    root = Element("testsuites", name="KeyVigil")
    seconds = (result.finished_at - result.started_at).total_seconds()
    root.set("time", f"{seconds:.3f}")
    coverage = _suite(root, "coverage", result)
    for row in by_collection(result.coverage):
        case = _case(coverage, row.collection.value, "coverage")
        for gap in row.gaps:
            how = "error" if not is_complete((gap,)) else "skipped"
            _say(case, how, gap.reason or gap.endpoint, gap.state.value)
    for tally in result.rules:
        _rule(root, tally, of_rule[tally.rule.id], result)
    for parent in (*root, root):
        _count(parent)
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def _rule(root: Element, tally: RuleTally, findings: list[Finding], result: ScanResult) -> None:
    suite = _suite(root, tally.rule.id, result)
    if not findings:
        case = _case(suite, tally.rule.title, tally.rule.id)
        if not result.complete:
            _say(case, "skipped", "kept as far as was seen: this scan is incomplete", "unseen")
    for finding in findings:
        case = _case(suite, f"{finding.key.name or 'unnamed'} ({finding.key.id})", tally.rule.id)
        properties = SubElement(case, "properties")
        for name, value in (
            ("fingerprint", finding.fingerprint),
            ("severity", finding.severity.value),
            ("project", (finding.project.name or finding.project.id) if finding.project else ""),
            ("owner", finding.owner_email or finding.key.owner.name or ""),
        ):
            SubElement(properties, "property", name=name, value=visible(value))
        words = "; ".join(map(in_words, finding.evidence))
        if finding.outcome is Outcome.VIOLATED:
            _say(case, "failure", words, finding.severity.value, f"Fix: {finding.rule.fix}")
        elif finding.exception:
            text = finding.exception
            _say(case, "skipped", f"excepted until {text.expires}: {text.reason}", "excepted")
        else:
            _say(case, "skipped", f"undetermined: {words}", "undetermined")


def _suite(root: Element, name: str, result: ScanResult) -> Element:
    started = f"{result.started_at:%Y-%m-%dT%H:%M:%S}"
    return SubElement(root, "testsuite", name=visible(name), timestamp=started, time="0")


def _case(suite: Element, name: str, of: str) -> Element:
    return SubElement(suite, "testcase", name=visible(name), classname=f"keyvigil.{of}", time="0")


def _say(case: Element, what: str, message: str, kind: str, more: str = "") -> None:
    element = SubElement(case, what, type=kind, message=visible(message))
    element.text = visible(more) or None


def _count(parent: Element) -> None:
    """Write how many tests a suite, or all of them, hold and how they went."""
    parent.set("tests", str(len(parent.findall(".//testcase"))))
    for name, what in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        parent.set(name, str(len(parent.findall(f".//{what}"))))
