"""A scan result as JUnit XML, for a build's list of tests: a suite for each rule.

Source: junit-10.xsd of the Jenkins xUnit plugin, which most readers follow.
"""

from collections import defaultdict
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from scanner.coverage import CollectionCoverage, by_collection
from scanner.display import visible
from scanner.finding import Finding, Outcome, RuleTally
from scanner.inventory import Coverage, is_complete
from scanner.result import ScanResult
from scanner.words import evidence_texts, title


def render_junit(result: ScanResult) -> str:
    """Render a test case for each finding: failed if violated, else skipped; and one for each gap.

    A rule without findings is a suite with one case: passed, but skipped in an incomplete scan.
    """
    of_rule: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in result.findings:
        of_rule[finding.rule.id].append(finding)
    organization = result.history_name or result.organization
    root = Element("testsuites", name=visible(f"KeyVigil: {organization or 'organization'}"))
    seconds = max((result.finished_at - result.started_at).total_seconds(), 0)
    root.set("time", f"{seconds:.3f}")
    coverage = _suite(root, "coverage", result)
    for row in by_collection(result.coverage):
        _collection(coverage, row)
    for tally in result.rules:
        _rule(root, tally, of_rule[tally.rule.id], result)
    for suite in root:
        _count(suite)
        suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    _count(root)
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def _collection(coverage: Element, row: CollectionCoverage) -> None:
    """Write one case for a collection that is complete, else one for each of its gaps."""
    if not row.gaps:
        _case(coverage, row.collection.value, "coverage")
    for gap in row.gaps:
        _gap(_case(coverage, f"{row.collection.value}: {gap.endpoint}", "coverage"), gap)


def _gap(case: Element, gap: Coverage) -> None:
    how = "skipped" if is_complete((gap,)) else "error"
    _result(case, how, gap.reason or gap.endpoint, gap.state.value)


def _rule(root: Element, tally: RuleTally, findings: list[Finding], result: ScanResult) -> None:
    suite = _suite(root, tally.rule.id, result)
    if not findings:
        case = _case(suite, tally.rule.title, tally.rule.id)
        if not result.complete:
            reason = "not violated by any key that was collected: this scan is incomplete"
            _result(case, "skipped", reason, "unseen")
    for finding in findings:
        _finding(suite, finding)


def _finding(suite: Element, finding: Finding) -> None:
    name = f"{finding.key.name or 'unnamed'} ({finding.key.id})"
    case = _case(suite, name, finding.rule.id)
    words = "; ".join(evidence_texts(finding.evidence))
    if finding.outcome is Outcome.VIOLATED:
        more = f"Fix: {finding.rule.fix}\nEvidence: {words}"
        _result(case, "failure", title(finding), finding.severity.value, more)
    elif finding.exception:
        text = finding.exception
        _result(case, "skipped", f"excepted until {text.expires}: {text.reason}", "excepted")
    else:
        _result(case, "skipped", f"undetermined: {words}", "undetermined")
    project = (finding.project.name or finding.project.id) if finding.project else ""
    lines = (
        f"fingerprint: {finding.fingerprint}",
        f"severity: {finding.severity.value}",
        f"project: {project}",
        f"owner: {finding.owner_email or finding.key.owner.name or ''}",
    )
    SubElement(case, "system-out").text = "\n".join(map(visible, lines))


def _suite(root: Element, name: str, result: ScanResult) -> Element:
    started = f"{result.started_at:%Y-%m-%dT%H:%M:%S}"
    return SubElement(root, "testsuite", name=visible(name), timestamp=started, time="0")


def _case(suite: Element, name: str, of: str) -> Element:
    return SubElement(suite, "testcase", name=visible(name), classname=f"keyvigil.{of}", time="0")


def _result(case: Element, what: str, message: str, kind: str, more: str = "") -> None:
    element = SubElement(case, what, type=kind, message=visible(message))
    element.text = visible(more) or None


def _count(parent: Element) -> None:
    """Write the number of test cases, failures and errors of a suite, or of all suites."""
    parent.set("tests", str(len(parent.findall(".//testcase"))))
    for name, what in (("failures", "failure"), ("errors", "error")):
        parent.set(name, str(len(parent.findall(f".//{what}"))))
