"""Whom a message is for: `segment = pos_m2m and region in (msk, spb) and not language = zh`, read into a tree."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as _field
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, NamedTuple

from statuspage.domain.errors import RuleError

FIELDS = ("segment", "region", "language", "component")
LONGEST = 500
DEEPEST = 20
_LONGEST_VALUE = 64


class AudienceError(RuleError):
    """`position` is where in the text it went wrong, counted in characters from 1."""

    def __init__(self, code: str, message: str, position: int, **values: object) -> None:
        said = f"audience: {message} at character {position}."
        super().__init__(code, said, "audience", {**values, "position": position})
        self.position = position

    def __reduce__(self) -> tuple[Callable[..., AudienceError], tuple[object, ...]]:
        told = self.message.removeprefix("audience: ").removesuffix(f" at character {self.position}.")
        return _audience_error, (self.code, told, self.values)


def _audience_error(code: str, message: str, values: dict[str, Any]) -> AudienceError:
    return AudienceError(code, message, **values)


def too_long() -> AudienceError:
    """The refusal of more than LONGEST characters."""
    said = f"longer than {LONGEST} characters, too long"
    return AudienceError("audience.too_long", said, LONGEST + 1, limit=LONGEST)


class Wanted(StrEnum):
    """What could have stood where something else does."""

    TERM = "term"
    SIGN = "sign"
    IN = "in"
    VALUE = "value"
    OPENING = "opening"
    NEXT_VALUE = "next_value"
    CLOSING = "closing"
    END = "end"


_WANTED: Mapping[Wanted, str] = {
    Wanted.TERM: f"all, not, a parenthesis or one of {', '.join(FIELDS)}",
    Wanted.SIGN: "=, !=, in or not in",
    Wanted.IN: "in",
    Wanted.VALUE: "a value (in quotes, if it is and, or, not, in, all)",
    Wanted.OPENING: '"("',
    Wanted.NEXT_VALUE: 'a comma or ")"',
    Wanted.CLOSING: 'and, or, or ")"',
    Wanted.END: "and, or, or the end",
}


@dataclass(frozen=True, slots=True)
class Everyone:
    """The whole audience: `all`."""


@dataclass(frozen=True, slots=True)
class Compare:
    """True of whoever's `field` is one of `values`; who has no value there is never one of them."""

    field: str
    values: tuple[str, ...]
    position: int = _field(default=1, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Not:
    node: Node


@dataclass(frozen=True, slots=True)
class And:
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    nodes: tuple[Node, ...]


Node = Everyone | Compare | Not | And | Or


@dataclass(frozen=True, slots=True)
class AudienceFacts:
    """One person as the expression sees him. None: not known, or a contact without a line."""

    segment: str | None = None
    region: str | None = None
    language: str | None = None
    components: frozenset[str] = frozenset()


def matches(node: Node, facts: AudienceFacts) -> bool:
    """Two-valued: an unknown value is in no list, so `not region = msk` holds for whoever has no region. SQL must say
    the same (`coalesce`)."""
    match node:
        case Everyone():
            return True
        case Not(inner):
            return not matches(inner, facts)
        case And(nodes):
            return all(matches(inner, facts) for inner in nodes)
        case Or(nodes):
            return any(matches(inner, facts) for inner in nodes)
        case Compare("component", values):
            return not facts.components.isdisjoint(values)
        case Compare(name, values):
            return getattr(facts, name) in values


def print_audience(node: Node) -> str:
    """The expression in its one written form; `parse` reads it back into the same tree."""
    match node:
        case Everyone():
            return "all"
        case Not(inner):
            return f"not {_grouped(inner, And, Or)}"
        case And(nodes):
            return " and ".join(_grouped(inner, And, Or) for inner in nodes)
        case Or(nodes):
            return " or ".join(_grouped(inner, Or) for inner in nodes)
        case Compare(name, (value,)):
            return f"{name} = {_written(value)}"
        case Compare(name, values):
            return f"{name} in ({', '.join(_written(value) for value in values)})"


def comparisons(node: Node) -> Iterator[Compare]:
    """Every comparison of the tree, from left to right."""
    match node:
        case Compare():
            yield node
        case Not(inner):
            yield from comparisons(inner)
        case And(nodes) | Or(nodes):
            for inner in nodes:
                yield from comparisons(inner)


def check_values(node: Node, known: Mapping[str, Collection[str]]) -> None:
    """Refuse a value that the operator does not have, so that a typing error never tells nobody, or everybody."""
    for compare in comparisons(node):
        allowed = known.get(compare.field, ())
        for value in compare.values:
            if value not in allowed:
                near = get_close_matches(value, allowed, n=1)
                there = ", ".join(sorted(allowed)) or "none"
                hint = f'did you mean "{near[0]}"' if near else f"known: {there}"
                raise AudienceError(
                    "audience.unknown_value",
                    f'there is no {compare.field} "{value}" ({hint})',
                    compare.position,
                    field=compare.field,
                    value=value,
                    **({"variant": "near", "near": near[0]} if near else {"known": there}),
                )


def parse(text: str) -> Node:
    """The tree of an expression: `not` binds before `and`, `and` before `or`; `field = v`, `field != v`,
    `field in (v, …)`, `field not in (v, …)`, parentheses, and `all`. Raises AudienceError with the position."""
    if len(text) > LONGEST:
        raise too_long()
    reader = _Reader(text)
    node = reader.disjunction(0)
    reader.expect("end", Wanted.END)
    return node


class _Token(NamedTuple):
    kind: str
    text: str
    position: int


_KEYWORDS = frozenset({"and", "or", "not", "in", "all"})
_LEXEMES = re.compile(
    r"""(?P<space>\s+)|(?P<sign>!=|[=(),])|(?P<word>\w[\w.\-]*)|"(?P<quoted>[^"\x00-\x1f\x7f]*)"|(?P<bad>.)""",
    re.DOTALL,
)
_BARE = re.compile(r"\w[\w.\-]*").fullmatch


def _tokens(text: str) -> Iterator[_Token]:
    for lexeme in _LEXEMES.finditer(text):
        kind, said, position = str(lexeme.lastgroup), lexeme[0], lexeme.start() + 1
        if kind == "space":
            continue
        if kind == "bad":
            raise AudienceError("audience.bad_character", f"{said!r} means nothing here", position, found=said)
        if kind == "quoted":
            yield _Token("value", lexeme["quoted"], position)
        elif kind == "word":
            yield _Token(said if said in _KEYWORDS else "word", said, position)
        else:
            yield _Token(said, said, position)
    yield _Token("end", "the end", len(text) + 1)


class _Reader:
    """Recursive descent over the tokens; `depth` keeps a hostile text from exhausting the stack."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._next = 0

    def disjunction(self, depth: int) -> Node:
        return self._chain("or", self._conjunction, Or, depth)

    def expect(self, kind: str, wanted: Wanted) -> None:
        if self._take(kind) is None:
            raise self._unexpected(wanted)

    def _conjunction(self, depth: int) -> Node:
        return self._chain("and", self._negation, And, depth)

    def _chain(self, word: str, part: Callable[[int], Node], join: type[And] | type[Or], depth: int) -> Node:
        nodes = [part(depth)]
        while self._take(word):
            nodes.append(part(depth))
        return nodes[0] if len(nodes) == 1 else join(tuple(nodes))

    def _negation(self, depth: int) -> Node:
        if depth >= DEEPEST:
            place = self._tokens[self._next].position
            raise AudienceError("audience.too_deep", f"more than {DEEPEST} levels", place, limit=DEEPEST)
        if self._take("not"):
            return Not(self._negation(depth + 1))
        if self._take("("):
            node = self.disjunction(depth + 1)
            self.expect(")", Wanted.CLOSING)
            return node
        if self._take("all"):
            return Everyone()
        return self._comparison()

    def _comparison(self) -> Node:
        name = self._take("word")
        if name is None:
            raise self._unexpected(Wanted.TERM)
        if name.text not in FIELDS:
            raise _unknown_field(name)
        if self._take("="):
            return Compare(name.text, (self._value(),), name.position)
        if self._take("!="):
            return Not(Compare(name.text, (self._value(),), name.position))
        negated = self._take("not") is not None
        self.expect("in", Wanted.IN if negated else Wanted.SIGN)
        compare = Compare(name.text, self._list(), name.position)
        return Not(compare) if negated else compare

    def _list(self) -> tuple[str, ...]:
        self.expect("(", Wanted.OPENING)
        values = [self._value()]
        while self._take(","):
            values.append(self._value())
        self.expect(")", Wanted.NEXT_VALUE)
        return tuple(dict.fromkeys(values))

    def _value(self) -> str:
        token = self._take("word") or self._take("value")
        if token is None:
            raise self._unexpected(Wanted.VALUE)
        if not token.text or len(token.text) > _LONGEST_VALUE:
            said = f"a value has 1 to {_LONGEST_VALUE} characters"
            raise AudienceError("audience.bad_value", said, token.position, limit=_LONGEST_VALUE)
        return token.text

    def _take(self, kind: str) -> _Token | None:
        token = self._tokens[self._next]
        if token.kind != kind:
            return None
        self._next += kind != "end"
        return token

    def _unexpected(self, wanted: Wanted) -> AudienceError:
        token = self._tokens[self._next]
        needed = f"where {_WANTED[wanted]} is needed"
        if token.kind == "end":
            variant = "empty" if self._next == 0 else "end"
            return AudienceError("audience.syntax", f"it ends {needed}", token.position, wanted=wanted, variant=variant)
        said = f'"{token.text}" stands {needed}'
        return AudienceError("audience.syntax", said, token.position, wanted=wanted, found=token.text)


def _unknown_field(name: _Token) -> AudienceError:
    near = get_close_matches(name.text, FIELDS, n=1)
    there = ", ".join(FIELDS)
    hint = f'did you mean "{near[0]}"' if near else f"use {there}"
    values = {"variant": "near", "near": near[0]} if near else {"known": there}
    return AudienceError(
        "audience.unknown_field", f'"{name.text}" is not a field ({hint})', name.position, found=name.text, **values
    )


def _grouped(node: Node, *looser: type[And] | type[Or]) -> str:
    printed = print_audience(node)
    return f"({printed})" if isinstance(node, looser) else printed


def _written(value: str) -> str:
    return value if _BARE(value) and value not in _KEYWORDS else f'"{value}"'
