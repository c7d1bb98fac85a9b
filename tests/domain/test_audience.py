from __future__ import annotations

import pickle
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statuspage.domain.audience import (
    DEEPEST,
    LONGEST,
    And,
    AudienceError,
    AudienceFacts,
    Compare,
    Everyone,
    Node,
    Not,
    Or,
    check_values,
    comparisons,
    matches,
    parse,
    print_audience,
)

VALUES = ("prepaid", "pos_m2m", "msk", "zh-Hans", "and", "in", "Москва", "St. John's", "top_up", "a", "b")
fields = st.sampled_from(["segment", "region", "language", "component"])
values = st.lists(st.sampled_from(VALUES), min_size=1, max_size=4, unique=True).map(tuple)
nodes: st.SearchStrategy[Node] = st.recursive(
    st.just(Everyone()) | st.builds(Compare, fields, values),
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple))
        | st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple))
    ),
    max_leaves=6,
)
facts = st.builds(
    AudienceFacts,
    segment=st.none() | st.sampled_from(VALUES),
    region=st.none() | st.sampled_from(VALUES),
    language=st.none() | st.sampled_from(VALUES),
    components=st.frozensets(st.sampled_from(VALUES), max_size=3),
)


@given(nodes)
def test_printing_and_parsing_is_the_identity(node: Node) -> None:
    """Every tree is read back from its own text, and its text is printed back from its tree."""
    text = print_audience(node)
    if len(text) <= LONGEST:
        assert parse(text) == node
        assert print_audience(parse(text)) == text


@given(nodes, st.lists(facts, min_size=1, max_size=8))
def test_two_readers_agree_on_who_is_meant(node: Node, people: list[AudienceFacts]) -> None:
    """The rule in Python picks the same people as a database that is asked in SQL."""
    with sqlite3.connect(":memory:") as database:
        database.execute("CREATE TABLE person (id INTEGER, segment TEXT, region TEXT, language TEXT)")
        database.execute("CREATE TABLE component (id INTEGER, key TEXT)")
        for number, person in enumerate(people):
            row = (number, person.segment, person.region, person.language)
            database.execute("INSERT INTO person VALUES (?, ?, ?, ?)", row)
            database.executemany("INSERT INTO component VALUES (?, ?)", [(number, key) for key in person.components])
        parameters: list[str] = []
        chosen = database.execute(f"SELECT id FROM person WHERE {sql(node, parameters)}", parameters)  # noqa: S608 - marks only
        ids = {row[0] for row in chosen}
    database.close()
    assert ids == {number for number, person in enumerate(people) if matches(node, person)}


def sql(node: Node, parameters: list[str]) -> str:
    match node:
        case Everyone():
            return "1 = 1"
        case Not(inner):
            return f"NOT ({sql(inner, parameters)})"
        case And(inner):
            return " AND ".join(f"({sql(one, parameters)})" for one in inner)
        case Or(inner):
            return " OR ".join(f"({sql(one, parameters)})" for one in inner)
        case Compare(name, listed):
            parameters.extend(listed)
            marks = ", ".join("?" * len(listed))
            if name == "component":
                return f"person.id IN (SELECT id FROM component WHERE key IN ({marks}))"  # noqa: S608 - marks only
            return f"coalesce({name} IN ({marks}), 0)"


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("all", Everyone()),
        ("segment = prepaid", Compare("segment", ("prepaid",))),
        ("segment != prepaid", Not(Compare("segment", ("prepaid",)))),
        ("region in (msk,spb)", Compare("region", ("msk", "spb"))),
        ("region not in (msk, msk)", Not(Compare("region", ("msk",)))),
        ('segment = "and"', Compare("segment", ("and",))),
        (
            "language = ru or segment = a and not region = msk",
            Or((Compare("language", ("ru",)), And((Compare("segment", ("a",)), Not(Compare("region", ("msk",))))))),
        ),
        ("(language = ru or language = zh) and all", And((
            Or((Compare("language", ("ru",)), Compare("language", ("zh",)))), Everyone(),
        ))),
    ],
)  # fmt: skip
def test_what_is_written_is_what_is_meant(text: str, tree: Node) -> None:
    """`not` binds before `and`, `and` before `or`; `!=` and `not in` are negations."""
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "code", "position"),
    [
        ("", "audience.syntax", 1),
        ("segment", "audience.syntax", 8),
        ("segment = ", "audience.syntax", 11),
        ("segmant = prepaid", "audience.unknown_field", 1),
        ("segment = prepaid prepaid", "audience.syntax", 19),
        ("segment in ()", "audience.syntax", 13),
        ("(segment = a", "audience.syntax", 13),
        ("segment = a)", "audience.syntax", 12),
        ("segment = a; DROP TABLE line", "audience.bad_character", 12),
        ("segment = 'a'", "audience.bad_character", 11),
        ('segment = "unclosed', "audience.bad_character", 11),
        ('segment = "nul\x00"', "audience.bad_character", 11),
        ('segment = ""', "audience.bad_value", 11),
        ("not " * (DEEPEST + 1) + "all", "audience.too_deep", DEEPEST * 4 + 1),
        ("segment = a or " * 40 + "all", "audience.too_long", LONGEST + 1),
    ],
)
def test_an_error_says_where(text: str, code: str, position: int) -> None:
    """A wrong expression is refused with the character at which it went wrong."""
    with pytest.raises(AudienceError) as refused:
        parse(text)
    assert (refused.value.code, refused.value.position, refused.value.field) == (code, position, "audience")
    assert f"character {position}" in refused.value.message


words = st.sampled_from(['"', "(", ")", ", ", "not ", "and ", "or ", "segment ", "= ", "in ", "all ", "a "])


def read(text: str) -> Node | AudienceError:
    try:
        return parse(text)
    except AudienceError as refused:
        return refused


@given(st.text(max_size=60) | st.lists(words, max_size=20).map("".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text brings the reader down: it answers a tree or an AudienceError within the text's borders."""
    found = read(text)
    if isinstance(found, AudienceError):
        assert 1 <= found.position <= len(text) + 1
    else:
        assert parse(print_audience(found)) == found


def test_a_value_that_does_not_exist_is_refused() -> None:
    """A typing error in a value is found before anybody is told, with the likely word and its place."""
    node = parse("segment = prepaid and region in (msk, sbp)")
    known = {"segment": {"prepaid"}, "region": {"msk", "spb"}}
    assert [compare.field for compare in comparisons(node)] == ["segment", "region"]
    with pytest.raises(AudienceError) as refused:
        check_values(node, known)
    assert refused.value.position == 23
    assert 'did you mean "spb"' in refused.value.message
    check_values(parse("segment = prepaid and not all"), known)


def test_an_error_survives_a_process_border() -> None:
    """Refusals can be pickled, as they are when a worker hands them over."""
    with pytest.raises(AudienceError) as refused:
        parse("segment")
    copy = pickle.loads(pickle.dumps(refused.value))  # noqa: S301 - our own bytes
    assert (copy.code, copy.message, copy.position) == (
        refused.value.code,
        refused.value.message,
        refused.value.position,
    )
