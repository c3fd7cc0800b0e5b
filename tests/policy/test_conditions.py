from collections.abc import Sequence
from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.collection import Collection
from scanner.finding import Evidence
from scanner.inventory import Unknown
from scanner.policy.answers import Answers
from scanner.policy.columns import Facts, Given
from scanner.policy.conditions import AllOf, AnyOf, Condition, Leaf, Not, Trail
from scanner.policy.operators import Limit, Operator
from scanner.policy.registry import Fact, FactType, Value
from tests.factories import a_subject

TRUTHS = (True, False, None)


class Told:
    """A condition whose answer is given."""

    names: frozenset[str] = frozenset()
    needs: frozenset[Collection] = frozenset()

    def __init__(self, truth: bool | None) -> None:  # noqa: FBT001 - the answer
        self.truth = truth

    def decide(self, _facts: Facts) -> Answers:
        return Answers(true=self.truth is True, false=self.truth is False)

    def evidence(self, _facts: Facts, _rows: Sequence[int]) -> list[Trail]:
        return [(Evidence(fact="told", value=str(self.truth), limit=""),)]


def truth(condition: Condition, **facts: Value) -> bool | None:
    answers = condition.decide(Given(facts))
    return True if answers.true else False if answers.false else None


def trail(condition: Condition, **facts: Value) -> Trail:
    (only,) = condition.evidence(Given(facts), [0])
    return only


def leaf(value: Value, op: Operator, limit: Limit) -> bool | None:
    return truth(Leaf(fact=F, operator=op, limit=limit), f=value)


F = Fact(name="f", type=FactType.TEXT, meaning="", source="", read=lambda _subject: None)


conditions = st.recursive(
    st.sampled_from(TRUTHS).map(Told),
    lambda inner: st.one_of(
        inner.map(lambda part: Not(part=part)),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: AllOf(parts=tuple(parts))),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: AnyOf(parts=tuple(parts))),
    ),
)


@pytest.mark.parametrize(("left", "right"), list(product(TRUTHS, TRUTHS)))
def test_all_and_any_follow_kleenes_tables(left: bool | None, right: bool | None) -> None:  # noqa: FBT001
    parts = (Told(left), Told(right))
    both = False if False in (left, right) else None if None in (left, right) else True
    either = True if True in (left, right) else None if None in (left, right) else False
    assert truth(AllOf(parts=parts)) is both
    assert truth(AnyOf(parts=parts)) is either


@given(st.lists(conditions, min_size=1, max_size=4))
def test_de_morgan_holds(parts: list[Condition]) -> None:
    nots = tuple(Not(part=part) for part in parts)
    assert truth(Not(part=AllOf(parts=tuple(parts)))) is truth(AnyOf(parts=nots))
    assert truth(Not(part=AnyOf(parts=tuple(parts)))) is truth(AllOf(parts=nots))


@given(conditions)
def test_two_nots_are_none(condition: Condition) -> None:
    assert truth(Not(part=Not(part=condition))) is truth(condition)


@given(conditions, st.booleans())
def test_learning_an_unknown_never_reverses_what_was_decided(
    condition: Condition,
    learned: bool,  # noqa: FBT001
) -> None:
    before = truth(condition)
    if before is not None:
        assert truth(_learn(condition, learned=learned)) is before


def _learn(condition: Condition, *, learned: bool) -> Condition:
    match condition:
        case Told() if condition.truth is None:
            return Told(learned)
        case Not(part=part):
            return Not(part=_learn(part, learned=learned))
        case AllOf(parts=parts):
            return AllOf(parts=tuple(_learn(part, learned=learned) for part in parts))
        case AnyOf(parts=parts):
            return AnyOf(parts=tuple(_learn(part, learned=learned) for part in parts))
        case _:
            return condition


@given(conditions)
def test_every_verdict_has_evidence(condition: Condition) -> None:
    assert trail(condition)


def test_evidence_under_a_not_says_so() -> None:
    part = Leaf(fact=F, operator=Operator.LIKE, limit="prod-*")
    (row,) = trail(Not(part=part), f="dev")
    assert row == Evidence(fact="f", value="dev", limit="not: like prod-*")
    (row,) = trail(Not(part=Not(part=part)), f="dev")
    assert row.limit == "like prod-*"


def test_evidence_names_the_parts_that_decided() -> None:
    condition = AllOf(parts=(Told(truth=True), Told(truth=False), Told(truth=None)))
    assert [row.observed for row in trail(condition)] == ["False"]


@pytest.mark.parametrize(
    ("value", "op", "limit", "answer"),
    [
        ("a", Operator.IS, "a", True),
        ("a", Operator.NOT, "a", False),
        ("a", Operator.ONE_OF, ("a", "b"), True),
        ("c", Operator.NONE_OF, ("a", "b"), True),
        (timedelta(days=90), Operator.OVER, timedelta(days=90), False),
        (timedelta(days=90), Operator.AT_LEAST, timedelta(days=90), True),
        (timedelta(days=90), Operator.UNDER, timedelta(days=90), False),
        (timedelta(days=90), Operator.AT_MOST, timedelta(days=90), True),
        (3, Operator.OVER, 2, True),
        ("prod-eu", Operator.LIKE, "prod-*", True),
        ("Prod-eu", Operator.LIKE, "prod-*", False),
        ("dev", Operator.UNLIKE, "prod-*", True),
        ("eu-prod-1", Operator.MATCHES, "prod-[0-9]$", True),
        ("eu-prod-x", Operator.MATCHES, "prod-[0-9]$", False),
        ("a" * 100_000, Operator.MATCHES, "(a+)+$b", False),
        ("a", Operator.KNOWN, True, True),
        (None, Operator.KNOWN, True, False),
        (Unknown(reason=""), Operator.KNOWN, False, True),
    ],
)
def test_operators(value: Value, op: Operator, limit: Limit, answer: bool) -> None:  # noqa: FBT001
    assert leaf(value, op, limit) is answer


@pytest.mark.parametrize("op", [op for op in Operator if op is not Operator.KNOWN])
def test_of_what_is_absent_only_denials_hold(op: Operator) -> None:
    limit: Limit = ("a",) if op in {Operator.ONE_OF, Operator.NONE_OF} else "a"
    assert leaf(None, op, limit) is (op in {Operator.NOT, Operator.NONE_OF, Operator.UNLIKE})


@pytest.mark.parametrize("op", [op for op in Operator if op is not Operator.KNOWN])
def test_of_what_is_unknown_nothing_is_decided(op: Operator) -> None:
    limit: Limit = ("a",) if op in {Operator.ONE_OF, Operator.NONE_OF} else "a"
    assert leaf(Unknown(reason="not told"), op, limit) is None


def test_an_unknown_that_cannot_be_the_limit_is_decided() -> None:
    half_known = Unknown(reason="not told", possible=frozenset({"active", "disabled"}))
    assert leaf(half_known, Operator.IS, "left_org") is False
    assert leaf(half_known, Operator.IS, "active") is None
    assert leaf(half_known, Operator.ONE_OF, ("active", "disabled")) is True


values = st.one_of(
    st.none(),
    st.sampled_from(["active", "disabled", "left_org"]),
    st.sampled_from([frozenset(), frozenset({"active"}), frozenset({"active", "disabled"})]).map(
        lambda possible: Unknown(reason="not told", possible=possible)
    ),
)
limits = st.one_of(
    st.tuples(st.sampled_from([Operator.IS, Operator.NOT, Operator.LIKE]), st.just("active")),
    st.tuples(st.sampled_from([Operator.ONE_OF, Operator.NONE_OF]), st.just(("active", "x"))),
    st.tuples(st.just(Operator.KNOWN), st.booleans()),
)
leaves = limits.map(lambda held: Leaf(fact=F, operator=held[0], limit=held[1]))


class Column(Facts):
    """Keys of which one fact is given."""

    def __init__(self, given: Sequence[Value]) -> None:
        super().__init__([a_subject()] * len(given))
        self._given = given

    def _read(self, _name: str) -> Sequence[Value]:
        return self._given


@given(
    st.recursive(
        leaves,
        lambda inner: st.one_of(
            inner.map(lambda part: Not(part=part)),
            st.lists(inner, min_size=1, max_size=3).map(lambda p: AllOf(parts=tuple(p))),
            st.lists(inner, min_size=1, max_size=3).map(lambda p: AnyOf(parts=tuple(p))),
        ),
    ),
    st.lists(values, min_size=1, max_size=9),
)
def test_many_keys_at_once_come_out_as_each_by_itself(
    condition: Condition, given: list[Value]
) -> None:
    facts = Column(given)
    answers, rows = condition.decide(facts), range(len(given))
    assert [
        True if 1 << 8 * row & answers.true else False if 1 << 8 * row & answers.false else None
        for row in rows
    ] == [truth(condition, f=value) for value in given]
    assert condition.evidence(facts, rows) == [trail(condition, f=value) for value in given]
