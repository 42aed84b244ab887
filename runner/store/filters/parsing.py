"""The parser of filters: the grammar, and the tree that is built from it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

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
    Test,
    text_error,
)
from runner.tables.frame import shortened

LONGEST = 20_000
"""The largest number of characters of a filter."""
MOST_CONDITIONS = 200
"""The largest number of tests in a filter."""
DEEPEST = 40
"""The largest depth of a filter's tree. A deeper tree exhausts the stack of SQLite's parser."""
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
EXPECTATIONS = (
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
"""Messages of syntax errors, each with a set of tokens.

The message that is used is the first one whose tokens are all accepted by the grammar at the place of the error.
"""


def parse_filter(text: str) -> Filter:
    """Return the tree of a filter.

    Raises:
        QueryError: the text is not a filter; the error points at the character.
    """
    if len(text) > LONGEST:
        raise QueryError(f"filter: has {len(text):,} characters, and at most {LONGEST:,} are allowed; use several filters")
    for position, character in enumerate(text):
        if character == "\0" or "\ud800" <= character <= "\udfff":
            raise text_error("filter", text, position, "this character is not allowed in a filter")
    if not text.strip():
        raise QueryError("filter: is empty; write a condition such as steps < 100, or leave the filter out")
    try:
        subtree = cast("_Subtree", _parser().parse(text))
    except UnexpectedToken as error:
        accepted = set(error.accepts)
        position = len(text.rstrip()) if error.token.type == "$END" else _position(error.token)
        problem = next((message for tokens, message in EXPECTATIONS if tokens <= accepted), "this is not understood")
        raise text_error("filter", text, position, problem) from None
    except UnexpectedCharacters as error:
        place: Any = error.pos_in_stream
        is_quote = text[place] in "\"'"
        problem = "this quote is never closed" if is_quote else "this character has no meaning in a filter"
        raise text_error("filter", text, place, problem) from None
    except _Refusal as refusal:
        raise text_error("filter", text, refusal.position, refusal.problem) from None
    return Filter(text, subtree.condition)


class _Refusal(Exception):
    """The text fits the grammar, but is not a valid filter."""

    def __init__(self, position: int, problem: str) -> None:
        self.position = position
        self.problem = problem


@dataclass(frozen=True)
class _Subtree:
    """A condition with its position in the text, its depth and its number of tests, which are limited."""

    condition: Condition[Test]
    position: int
    depth: int = 1
    count: int = 1


class _Builder(Transformer[Token, "_Subtree"]):
    """The builder of the tree. It works from the leaves up, so that deep brackets do not exhaust Python's stack."""

    def start(self, parts: list[_Subtree]) -> _Subtree:
        return parts[0]

    def name(self, parts: list[Token]) -> Name:
        return Name(str(parts[0]), _position(parts[0]))

    def literal(self, parts: list[Token]) -> Literal:
        token = parts[0]
        return Literal(LITERALS[token.type](str(token)), _position(token))

    def chain(self, parts: list[Any]) -> _Subtree:
        # a < x < b means a < x and x < b.
        return _joined(All, [_leaf(_comparison(*parts[first : first + 3])) for first in range(0, len(parts) - 1, 2)])

    def membership(self, parts: list[Any]) -> _Subtree:
        return _leaf(Membership(parts[0], tuple(parts[1:])))

    def exclusion(self, parts: list[Any]) -> _Subtree:
        return self.negated([self.membership(parts)])

    def presence(self, parts: list[Any]) -> _Subtree:
        return _leaf(Presence(parts[0], "nan" if parts[1].lower() == "nan" else "null"))

    def absence(self, parts: list[Any]) -> _Subtree:
        return self.negated([self.presence(parts)])

    def pattern(self, parts: list[Any]) -> _Subtree:
        if not isinstance(parts[1].value, str):
            raise _Refusal(parts[1].position, "like needs a text in quotes, in which % stands for any characters and _ for one")
        return _leaf(Pattern(parts[0], parts[1]))

    def unlike(self, parts: list[Any]) -> _Subtree:
        return self.negated([self.pattern(parts)])

    def negated(self, parts: list[_Subtree]) -> _Subtree:
        built = parts[0]
        if isinstance(built.condition, Not):
            return _Subtree(built.condition.condition, built.position, built.depth - 1, built.count)
        return _limited(_Subtree(Not(built.condition), built.position, built.depth + 1, built.count))

    def all(self, parts: list[_Subtree]) -> _Subtree:
        return _joined(All, parts)

    def either(self, parts: list[_Subtree]) -> _Subtree:
        return _joined(Either, parts)


def _joined(kind: type[All[Test]] | type[Either[Test]], parts: Sequence[_Subtree]) -> _Subtree:
    """Join conditions. Conditions that are already joined in the same way are flattened into one."""
    if len(parts) == 1:
        return parts[0]
    conditions: list[Condition[Test]] = []
    for part in parts:
        conditions += part.condition.conditions if isinstance(part.condition, kind) else [part.condition]
    depth = max(part.depth for part in parts) + 1
    return _limited(_Subtree(kind(tuple(conditions)), parts[-1].position, depth, sum(part.count for part in parts)))


def _limited(subtree: _Subtree) -> _Subtree:
    if subtree.count > MOST_CONDITIONS:
        raise _Refusal(subtree.position, f"more than {MOST_CONDITIONS} conditions; put long lists of values into one `in (…)`")
    if subtree.depth > DEEPEST:
        raise _Refusal(subtree.position, f"conditions are nested more than {DEEPEST} deep")
    return subtree


def _leaf(test: Test) -> _Subtree:
    return _Subtree(test, test.name.position)


def _comparison(left: Name | Literal, operator: Token, right: Name | Literal) -> Comparison:
    """Return a comparison with its name on the left."""
    sign = SPELLINGS.get(str(operator), str(operator))
    if isinstance(left, Name) and isinstance(right, Literal):
        return Comparison(left, sign, right)
    if isinstance(left, Literal) and isinstance(right, Name):
        return Comparison(right, MIRRORED[sign], left)
    if isinstance(right, Name):
        quoted = f'"{shortened(right.text)}"'
        raise _Refusal(
            right.position, f"a name is compared with a number or a text, not with another name; put a text in quotes: {quoted}"
        )
    raise _Refusal(right.position, "a number or a text is compared with a name, such as steps, not with another value")


def _number(text: str) -> int | float:
    number = float(text)
    return int(text) if text.lstrip("+-").isdigit() and abs(number) < LARGEST_INTEGER else number


def _unquoted(text: str) -> str:
    quote, inside = text[0], text[1:-1]
    return inside.replace("\\\\", "\0").replace(f"\\{quote}", quote).replace("\0", "\\")


LITERALS: dict[str, Any] = {"NUMBER": _number, "TEXT": _unquoted, "TRUTH": lambda text: text.lower() == "true"}


@functools.cache
def _parser() -> Lark:
    return Lark(GRAMMAR, parser="lalr", transformer=_Builder())


def _position(token: Token) -> int:
    return token.start_pos or 0
