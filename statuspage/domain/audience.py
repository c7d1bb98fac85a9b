"""Whom a message is for: `segment = pos_m2m and region in (msk, spb) and not language = zh`, read into a tree."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as _field
from difflib import get_close_matches
from typing import NamedTuple

from statuspage.domain.errors import RuleError

FIELDS = ("segment", "region", "language", "component")
LONGEST = 500
DEEPEST = 20
_LONGEST_VALUE = 64


class AudienceError(RuleError):
    """`position` is where in the text it went wrong, counted in characters from 1."""

    def __init__(self, code: str, message: str, position: int) -> None:
        super().__init__(code, f"audience: {message} at character {position}.", "audience")
        self.position = position

    def __reduce__(self) -> tuple[type[AudienceError], tuple[str, str, int]]:  # type: ignore[override]
        told = self.message.removeprefix("audience: ").removesuffix(f" at character {self.position}.")
        return type(self), (self.code, told, self.position)


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
                hint = f'did you mean "{near[0]}"' if near else f"known: {', '.join(sorted(allowed)) or 'none'}"
                raise AudienceError(
                    "audience.unknown_value", f'there is no {compare.field} "{value}" ({hint})', compare.position
                )


def parse(text: str) -> Node:
    """The tree of an expression: `not` binds before `and`, `and` before `or`; `field = v`, `field != v`,
    `field in (v, …)`, `field not in (v, …)`, parentheses, and `all`. Raises AudienceError with the position."""
    if len(text) > LONGEST:
        raise AudienceError("audience.too_long", f"longer than {LONGEST} characters, too long", LONGEST + 1)
    reader = _Reader(text)
    node = reader.disjunction(0)
    reader.expect("end")
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
            raise AudienceError("audience.bad_character", f"{said!r} means nothing here", position)
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

    def expect(self, kind: str) -> _Token:
        token = self._take(kind)
        if token is None:
            raise self._unexpected(f"{kind!r}" if kind != "end" else "and, or, or the end")
        return token

    def _conjunction(self, depth: int) -> Node:
        return self._chain("and", self._negation, And, depth)

    def _chain(
        self, word: str, part: Callable[[int], Node], join: type[And] | type[Or], depth: int
    ) -> Node:
        nodes = [part(depth)]
        while self._take(word):
            nodes.append(part(depth))
        return nodes[0] if len(nodes) == 1 else join(tuple(nodes))

    def _negation(self, depth: int) -> Node:
        if depth >= DEEPEST:
            raise AudienceError("audience.too_deep", f"more than {DEEPEST} levels", self._tokens[self._next].position)
        if self._take("not"):
            return Not(self._negation(depth + 1))
        if self._take("("):
            node = self.disjunction(depth + 1)
            self.expect(")")
            return node
        if self._take("all"):
            return Everyone()
        return self._comparison()

    def _comparison(self) -> Node:
        name = self._take("word")
        if name is None:
            raise self._unexpected(f"all, not, a parenthesis or one of {', '.join(FIELDS)}")
        if name.text not in FIELDS:
            near = get_close_matches(name.text, FIELDS, n=1)
            hint = f'did you mean "{near[0]}"' if near else f"use {', '.join(FIELDS)}"
            raise AudienceError("audience.unknown_field", f'"{name.text}" is not a field ({hint})', name.position)
        if self._take("="):
            return Compare(name.text, (self._value(),), name.position)
        if self._take("!="):
            return Not(Compare(name.text, (self._value(),), name.position))
        negated = self._take("not") is not None
        self.expect("in")
        compare = Compare(name.text, self._list(), name.position)
        return Not(compare) if negated else compare

    def _list(self) -> tuple[str, ...]:
        self.expect("(")
        values = [self._value()]
        while self._take(","):
            values.append(self._value())
        self.expect(")")
        return tuple(dict.fromkeys(values))

    def _value(self) -> str:
        token = self._take("word") or self._take("value")
        if token is None:
            raise self._unexpected("a value (in quotes, if it is and, or, not, in, all)")
        if not token.text or len(token.text) > _LONGEST_VALUE:
            raise AudienceError("audience.bad_value", f"a value has 1 to {_LONGEST_VALUE} characters", token.position)
        return token.text

    def _take(self, kind: str) -> _Token | None:
        token = self._tokens[self._next]
        if token.kind != kind:
            return None
        self._next += kind != "end"
        return token

    def _unexpected(self, wanted: str) -> AudienceError:
        token = self._tokens[self._next]
        return AudienceError("audience.syntax", f'"{token.text}" stands where {wanted} is needed', token.position)


def _grouped(node: Node, *looser: type[And] | type[Or]) -> str:
    printed = print_audience(node)
    return f"({printed})" if isinstance(node, looser) else printed


def _written(value: str) -> str:
    return value if _BARE(value) and value not in _KEYWORDS else f'"{value}"'
