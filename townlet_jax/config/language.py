"""The precondition language: text to a tree of clauses without negations (MECHANICS 14.5).

Owns tokens, grammar and the place of a mistake. What a fact is called is decided by the resolver given to the parser.

    or    = and { "or" and }          and     = not { "and" not }        not = { "not" } test
    test  = "(" or ")" | operand { operator operand } | fact ["not"] "in" "[" constants "]"
"""

import math
import re
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from townlet_jax.core.enums import EPSILON, Operator

MAX_NESTING = 32
MAX_LIST = 64
LARGEST = 3e38  # float32

TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|(?P<word>[A-Za-z_][A-Za-z0-9_.]*)"
    r"|(?P<string>'[^']*'|\"[^\"]*\")|(?P<symbol>==|!=|<=|>=|<|>|\(|\)|\[|\]|,|-))"
)
OPERATORS = {
    "==": Operator.EQ,
    "!=": Operator.NE,
    "<": Operator.LT,
    "<=": Operator.LE,
    ">": Operator.GT,
    ">=": Operator.GE,
}
OPPOSITE = {
    Operator.EQ: Operator.NE,
    Operator.NE: Operator.EQ,
    Operator.LT: Operator.GE,
    Operator.GE: Operator.LT,
    Operator.GT: Operator.LE,
    Operator.LE: Operator.GT,
}
MIRRORED = {
    Operator.EQ: Operator.EQ,
    Operator.NE: Operator.NE,
    Operator.LT: Operator.GT,
    Operator.GT: Operator.LT,
    Operator.LE: Operator.GE,
    Operator.GE: Operator.LE,
}
RESERVED = {"and", "or", "not", "in", "true", "false", "null"}


class MistakeError(Exception):
    """A place in the text and what is wrong there."""

    def __init__(self, position: int, text: str) -> None:
        super().__init__(text)
        self.position = position
        self.text = text


@dataclass(frozen=True)
class Clause:
    """One comparison of a fact with a constant."""

    fact: int
    operator: Operator
    constant: float


@dataclass(frozen=True)
class All:
    """True iff every part is."""

    parts: tuple["Node", ...]


@dataclass(frozen=True)
class Some:
    """True iff at least one part is."""

    parts: tuple["Node", ...]


Node = Clause | All | Some | bool
Constant = float | str | bool | None


Places = tuple[int, int]  # of the fact and of the constant


@runtime_checkable
class Resolver(Protocol):
    """Knows the facts of a town."""

    def compare(self, name: str, operator: Operator, constant: Constant, places: Places) -> Node:
        """Return the clause of a comparison; unknown facts and impossible constants raise `MistakeError`."""


@dataclass(frozen=True)
class Token:
    """A piece of the text."""

    kind: str  # number, word, string, symbol, end
    text: str
    position: int


@dataclass(frozen=True)
class Operand:
    """One side of a comparison: a fact by name, or a constant."""

    name: str | None
    value: Constant
    position: int


def tokens(text: str) -> list[Token]:
    """Cut a text into tokens; the last one is the end."""
    found = []
    position = 0
    while position < len(text.rstrip()):
        match = TOKEN.match(text, position)
        if match is None:
            start = position + len(text[position:]) - len(text[position:].lstrip())
            raise MistakeError(start, "this character belongs to no fact, number, text or operator; delete it")
        kind = str(match.lastgroup)
        found.append(Token(kind, match[kind], match.start(kind)))
        position = match.end()
    return [*found, Token("end", "", len(text.rstrip()))]


def negated(node: Node) -> Node:
    """Push a negation inwards."""
    if isinstance(node, bool):
        return not node
    if isinstance(node, Clause):
        return Clause(node.fact, OPPOSITE[node.operator], node.constant)
    parts = tuple(negated(part) for part in node.parts)
    return Some(parts) if isinstance(node, All) else All(parts)


def holds(value: float, operator: Operator, constant: float) -> bool:
    """Evaluate a comparison of two constants with the tolerance of the rules."""
    if operator in (Operator.EQ, Operator.NE):
        return (abs(value - constant) <= EPSILON) == (operator is Operator.EQ)
    if operator in (Operator.LT, Operator.LE):
        return value < constant if operator is Operator.LT else value <= constant + EPSILON
    return value > constant if operator is Operator.GT else value >= constant - EPSILON


def understand(text: str, resolver: Resolver) -> Node:
    """Parse a whole text; anything that is not in the grammar raises `MistakeError`."""
    parser = _Parser(tokens(text), resolver)
    node = parser.either(0)
    last = parser.token
    if last.kind != "end":
        raise MistakeError(
            last.position, "the expression should end here; join conditions by and / or, compare only with constants"
        )
    return node


class _Parser:
    """A position in the tokens."""

    def __init__(self, found: list[Token], resolver: Resolver) -> None:
        self.found = found
        self.index = 0
        self.resolver = resolver

    @property
    def token(self) -> Token:
        """The next token."""
        return self.found[self.index]

    def take(self, *texts: str) -> Token | None:
        """Step over the next token if it is one of these symbols or words."""
        token = self.token
        if token.kind in ("symbol", "word") and token.text in texts:
            self.index += 1
            return token
        return None

    def expect(self, text: str) -> None:
        """Step over a symbol that must come now."""
        if self.take(text) is None:
            raise MistakeError(self.token.position, f"a '{text}' is missing here; add it")

    def either(self, depth: int) -> Node:
        """Parse conditions joined by or."""
        parts = [self.both(depth)]
        while self.take("or"):
            parts.append(self.both(depth))
        return parts[0] if len(parts) == 1 else Some(tuple(parts))

    def both(self, depth: int) -> Node:
        """Parse conditions joined by and."""
        parts = [self.maybe_not(depth)]
        while self.take("and"):
            parts.append(self.maybe_not(depth))
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def maybe_not(self, depth: int) -> Node:
        """Parse a test behind any number of nots."""
        flip = False
        while self.take("not"):
            flip = not flip
        node = self.test(depth)
        return negated(node) if flip else node

    def test(self, depth: int) -> Node:
        """Parse a comparison, a chain of them, a membership, a bare fact or something in parentheses."""
        opening = self.take("(")
        if opening:
            if depth >= MAX_NESTING:
                raise MistakeError(
                    opening.position, f"parentheses are nested deeper than {MAX_NESTING}; flatten the expression"
                )
            node = self.either(depth + 1)
            self.expect(")")
            return node
        left = self.operand()
        member = self.membership(left)
        if member is not None:
            return member
        parts = []
        while self.token.kind == "symbol" and self.token.text in OPERATORS:
            sign = self.take(*OPERATORS)
            assert sign is not None
            right = self.operand()
            parts.append(self.comparison(left, OPERATORS[sign.text], right, sign.position))
            left = right
        if parts:
            return parts[0] if len(parts) == 1 else All(tuple(parts))
        return self.bare(left)

    def bare(self, operand: Operand) -> Node:
        """Turn a lonely fact into `fact != 0`, a lonely truth value into itself."""
        if operand.name is not None:
            return self.resolver.compare(operand.name, Operator.NE, 0.0, (operand.position, operand.position))
        if isinstance(operand.value, bool):
            return operand.value
        raise MistakeError(operand.position, "a constant alone is no condition; compare it with a fact")

    def membership(self, left: Operand) -> Node | None:
        """Parse `in [..]` or `not in [..]` behind an operand, None if there is neither."""
        flip = self.token.text == "not" and self.found[self.index + 1].text == "in"
        if flip:
            self.index += 1
        word = self.take("in")
        if word is None:
            return None
        if left.name is None:
            raise MistakeError(left.position, "only a fact can be looked up in a list; write a fact here")
        self.expect("[")
        parts: list[Node] = []
        while not self.take("]"):
            if parts:
                self.expect(",")
            item = self.operand()
            if item.name is not None:
                raise MistakeError(
                    item.position, "a list holds constants only; compare the two facts with constants instead"
                )
            parts.append(self.resolver.compare(left.name, Operator.EQ, item.value, (left.position, item.position)))
            if len(parts) > MAX_LIST:
                raise MistakeError(item.position, f"the list has more than {MAX_LIST} entries; shorten it")
        node = Some(tuple(parts))
        return negated(node) if flip else node

    def comparison(self, left: Operand, operator: Operator, right: Operand, position: int) -> Node:
        """Check that one side is a fact and the other a constant."""
        if left.name is not None and right.name is None:
            return self.resolver.compare(left.name, operator, right.value, (left.position, right.position))
        if left.name is None and right.name is not None:
            return self.resolver.compare(right.name, MIRRORED[operator], left.value, (right.position, left.position))
        what = "two constants" if left.name is None else "two facts"
        raise MistakeError(position, f"this compares {what}; a comparison has one fact and one constant")

    def operand(self) -> Operand:
        """Parse a fact or a constant."""
        minus = start = self.token
        sign = 1.0
        while minus.text == "-" and minus.kind == "symbol":
            sign = -sign
            self.index += 1
            minus = self.token
        token = self.token
        if token.kind == "number":
            value = sign * float(token.text)
            if not math.isfinite(value) or abs(value) > LARGEST:
                raise MistakeError(token.position, "this number is too large; write one below 3e38")
            self.index += 1
            return Operand(None, value, start.position)
        if start is not token:
            raise MistakeError(token.position, "a number must follow the minus; facts cannot be negated")
        return self.word_or_string(token)

    def word_or_string(self, token: Token) -> Operand:
        """Parse a name, a truth value, null or a quoted text."""
        literals: dict[str, Constant] = {"true": True, "false": False, "null": None}
        if token.kind == "string":
            self.index += 1
            return Operand(None, token.text[1:-1], token.position)
        if token.kind == "word" and (token.text in literals or token.text not in RESERVED):
            self.index += 1
            if self.token.text == "(" and self.token.kind == "symbol":
                raise MistakeError(token.position, "there are no functions; compare facts with constants")
            if token.text in literals:
                return Operand(None, literals[token.text], token.position)
            return Operand(token.text, None, token.position)
        raise MistakeError(token.position, "a fact or a constant is missing here; add one")
