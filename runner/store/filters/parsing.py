"""From the text of a filter to its tree, by a grammar."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedInput, UnexpectedToken

from runner.errors import QueryError
from runner.store.filters.syntax import (
    All,
    Comparison,
    Condition,
    Either,
    Filter,
    Literal,
    Membership,
    Name,
    Not,
    Pattern,
    Presence,
    complaint,
)
from runner.tables.frame import shortened

LONGEST = 20_000
MOST_CONDITIONS = 200
DEEPEST = 40
LARGEST_INTEGER = 2**63 - 1
GRAMMAR = r"""
    start: either
    ?either: all ("or"i all)*
    ?all: inverse ("and"i inverse)*
    ?inverse: "not"i inverse -> negated
            | "(" either ")"
            | chain
            | name "in"i "(" literal ("," literal)* ","? ")" -> membership
            | name "not"i "in"i "(" literal ("," literal)* ","? ")" -> exclusion
            | name "is"i STATE -> presence
            | name "is"i "not"i STATE -> absence
            | name "like"i literal -> pattern
            | name "not"i "like"i literal -> unlike
    chain: operand (OPERATOR operand)+
    ?operand: name | literal
    name: NAME
    literal: NUMBER | TEXT | TRUTH

    OPERATOR: "==" | "!=" | "<>" | "<=" | ">=" | "=" | "<" | ">" | "≤" | "≥" | "≠"
    NUMBER.3: /[+-]?(inf(inity)?|nan|(\d+\.?\d*|\.\d+)(e[+-]?\d+)?)(?![\w.])/i
    TRUTH.3: /(true|false)(?![\w.])/i
    STATE.4: /(null|unknown|nan)(?![\w.])/i
    TEXT: /"(\\.|[^"\\])*"|'(\\.|[^'\\])*'/s
    NAME: /[^\W\d]\w*(\.[^\W\d]\w*)*/
    %ignore /\s+/
"""
SPELLINGS = {"==": "=", "<>": "!=", "≠": "!=", "≤": "<=", "≥": ">="}
MIRRORED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
WANTED = (
    ({"$END"}, "expected and, or, or the end"),
    ({"OPERATOR", "IN", "IS"}, "expected a comparison: =, !=, <, <=, >, >=, in, is or like"),
    ({"STATE"}, "expected null, unknown or nan"),
    ({"LPAR", "NAME"}, "expected a condition such as steps < 100"),
    ({"NUMBER", "NAME"}, "expected a name, a number, or a text in quotes"),
    ({"NUMBER"}, "expected a number, or a text in quotes"),
    ({"COMMA"}, "expected a comma or a closing bracket"),
    ({"RPAR"}, "expected and, or, or a closing bracket"),
    ({"LPAR"}, "expected an opening bracket"),
    ({"OPERATOR"}, "expected a comparison: =, !=, <, <=, > or >="),
    ({"LIKE"}, "expected in or like"),
)


def parse_filter(text: str) -> Filter:
    """Return what a filter says.

    Raises:
        QueryError: it cannot be understood; the text points at the character.
    """
    if len(text) > LONGEST:
        raise QueryError(f"filter: has {len(text):,} characters, and at most {LONGEST:,} are allowed; use several filters")
    for position, character in enumerate(text):
        if character == "\0" or "\ud800" <= character <= "\udfff":
            raise complaint("filter", text, position, "this is not a character of any text")
    if not text.strip():
        raise QueryError("filter: is empty; write a condition such as steps < 100, or leave the filter out")
    try:
        built = cast("_Built", _parser().parse(text))
    except UnexpectedInput as error:
        raise _explained(text, error) from None
    except _Problem as problem:
        raise complaint("filter", text, problem.position, problem.text) from None
    return Filter(text, built.condition, tuple(_names(built.condition)))


class _Problem(Exception):
    """What the grammar allows and the language does not."""

    def __init__(self, position: int, text: str) -> None:
        self.position = position
        self.text = text


@dataclass(frozen=True)
class _Built:
    """A condition with what is limited: how deep it is, and how many comparisons it has."""

    condition: Condition
    position: int
    depth: int = 1
    count: int = 1


class _Builder(Transformer[Token, "_Built"]):
    """Builds the tree from the leaves while the text is read, so that no depth of brackets can exhaust the stack."""

    def start(self, parts: list[_Built]) -> _Built:
        return parts[0]

    def name(self, parts: list[Token]) -> Name:
        return Name(str(parts[0]), _position(parts[0]))

    def literal(self, parts: list[Token]) -> Literal:
        token = parts[0]
        return Literal(_READERS[token.type](str(token)), _position(token))

    def chain(self, parts: list[Any]) -> _Built:
        pairs = zip(parts[::2], parts[1::2], parts[2::2], strict=False)
        return _joined(All, [_leaf(_comparison(left, operator, right)) for left, operator, right in pairs])

    def membership(self, parts: list[Any]) -> _Built:
        return _leaf(Membership(parts[0], tuple(parts[1:])))

    def exclusion(self, parts: list[Any]) -> _Built:
        return self.negated([self.membership(parts)])

    def presence(self, parts: list[Any]) -> _Built:
        return _leaf(Presence(parts[0], "nan" if parts[1].lower() == "nan" else "null"))

    def absence(self, parts: list[Any]) -> _Built:
        return self.negated([self.presence(parts)])

    def pattern(self, parts: list[Any]) -> _Built:
        if not isinstance(parts[1].value, str):
            raise _Problem(parts[1].position, "like needs a text in quotes, in which % stands for any characters and _ for one")
        return _leaf(Pattern(parts[0], parts[1]))

    def unlike(self, parts: list[Any]) -> _Built:
        return self.negated([self.pattern(parts)])

    def negated(self, parts: list[_Built]) -> _Built:
        built = parts[0]
        if isinstance(built.condition, Not):
            return _Built(built.condition.condition, built.position, built.depth - 1, built.count)
        return _limited(_Built(Not(built.condition), built.position, built.depth + 1, built.count))

    def all(self, parts: list[_Built]) -> _Built:
        return _joined(All, parts)

    def either(self, parts: list[_Built]) -> _Built:
        return _joined(Either, parts)


def _joined(how: type[All] | type[Either], parts: Sequence[_Built]) -> _Built:
    if len(parts) == 1:
        return parts[0]
    conditions: list[Condition] = []
    for part in parts:
        conditions += part.condition.conditions if isinstance(part.condition, how) else [part.condition]
    depth = max(part.depth for part in parts) + 1
    return _limited(_Built(how(tuple(conditions)), parts[-1].position, depth, sum(part.count for part in parts)))


def _limited(built: _Built) -> _Built:
    if built.count > MOST_CONDITIONS:
        raise _Problem(built.position, f"more than {MOST_CONDITIONS} conditions; `in` takes as many values as you like")
    if built.depth > DEEPEST:
        raise _Problem(built.position, f"conditions are nested more than {DEEPEST} deep")
    return built


def _leaf(condition: Comparison | Membership | Pattern | Presence) -> _Built:
    return _Built(condition, condition.name.position)


def _comparison(left: Name | Literal, operator: Token, right: Name | Literal) -> Comparison:
    sign = SPELLINGS.get(str(operator), str(operator))
    if isinstance(left, Name) and isinstance(right, Literal):
        return Comparison(left, sign, right)
    if isinstance(left, Literal) and isinstance(right, Name):
        return Comparison(right, MIRRORED[sign], left)
    if isinstance(right, Name):
        text = (
            f'a name is compared with a number or a text, not with another name; put a text in quotes: "{shortened(right.text)}"'
        )
        raise _Problem(right.position, text)
    raise _Problem(right.position, "a number or a text is compared with a name, such as steps, not with another")


def _number(text: str) -> int | float:
    number = float(text)
    return int(text) if text.lstrip("+-").isdigit() and abs(number) < LARGEST_INTEGER else number


def _text(quoted: str) -> str:
    quote, inside = quoted[0], quoted[1:-1]
    return inside.replace("\\\\", "\0").replace(f"\\{quote}", quote).replace("\0", "\\")


def _truth(text: str) -> bool:
    return text.lower() == "true"


_READERS: dict[str, Any] = {"NUMBER": _number, "TEXT": _text, "TRUTH": _truth}


@functools.cache
def _parser() -> Lark:
    return Lark(GRAMMAR, parser="lalr", transformer=_Builder())


def _position(token: Token) -> int:
    return token.start_pos or 0


def _explained(text: str, error: UnexpectedInput) -> QueryError:
    """Say what was expected where the text stops making sense."""
    if isinstance(error, UnexpectedToken):
        expected = set(error.accepts)
        position = len(text.rstrip()) if error.token.type == "$END" else _position(error.token)
        problem = next((words for signs, words in WANTED if signs <= expected), "this is not understood")
        return complaint("filter", text, position, problem)
    place: Any = error.pos_in_stream
    position = int(place)
    closed = text[position] not in "\"'"
    return complaint("filter", text, position, "this means nothing here" if closed else "this quote is never closed")


def _names(condition: Condition) -> Iterable[Name]:
    if isinstance(condition, Not):
        yield from _names(condition.condition)
    elif isinstance(condition, All | Either):
        for each in condition.conditions:
            yield from _names(each)
    else:
        yield condition.name
