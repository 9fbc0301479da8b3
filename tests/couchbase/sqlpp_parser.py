"""From a statement's text to its tree, by recursive descent: one method for each rule."""

import functools
from collections.abc import Callable
from typing import NoReturn, TypeVar

from tests.couchbase.sqlpp import (
    SYNTAX,
    AnyOf,
    Array,
    BuildIndexes,
    Comparison,
    CountAll,
    CreateIndex,
    DropIndex,
    Each,
    Expression,
    Field,
    Gather,
    IndexKey,
    IsMissing,
    Keyspace,
    Literal,
    Logic,
    Meta,
    Parameter,
    QueryError,
    Select,
    Statement,
    Token,
    parse_json,
    tokenize,
)

T = TypeVar("T")
_END = Token("end", "", 0)
_SIGNS = ("=", "!=", "<>", "<", "<=", ">", ">=")


def parse(text: str) -> Statement:
    """Return a statement's tree.

    Raises:
        QueryError: It is none that is known here.
    """
    return _Parser(text).statement()


@functools.cache
def parse_condition(text: str) -> Expression:
    """Return the condition of an index, whose fields have no alias."""
    return _Parser(text).condition()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokenize(text)
        self._at = 0
        self._alias = ""

    # --- words

    def _peek(self) -> Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else _END

    def _take(self) -> Token:
        token = self._peek()
        self._at += 1
        return token

    def _fail(self) -> NoReturn:
        near = self._peek().text or "the end"
        raise QueryError(SYNTAX, f"syntax error - near {near!r} in {self._text!r}")

    def _accept(self, *words: str) -> bool:
        """Take these words if they come next, whatever their case."""
        found = self._tokens[self._at : self._at + len(words)]
        if [t.text.upper() if t.kind == "word" else t.text for t in found] != list(words):
            return False
        self._at += len(words)
        return True

    def _expect(self, *words: str) -> None:
        if not self._accept(*words):
            self._fail()

    def _name(self) -> str:
        token = self._take()
        if token.kind == "quoted":
            return token.text[1:-1].replace("``", "`")
        if token.kind != "word":
            self._at -= 1
            self._fail()
        return token.text

    def _list(self, item: Callable[[], T]) -> tuple[T, ...]:
        found = [item()]
        while self._accept(","):
            found.append(item())
        return tuple(found)

    # --- statements

    def statement(self) -> Statement:
        parsed = self._any_statement()
        if self._peek() is not _END:
            self._fail()
        return parsed

    def condition(self) -> Expression:
        return self._condition()

    def _any_statement(self) -> Statement:
        if self._accept("SELECT", "RAW", "[", "(", "SELECT"):
            self._at -= 2
            selects = self._list(self._subquery)
            self._expect("]")
            return Gather(selects[0].keyspace, selects, listed=True)
        if self._accept("SELECT", "RAW", "(", "SELECT"):
            self._at -= 2
            subquery = self._subquery()
            return Gather(subquery.keyspace, (subquery,), listed=False)
        if self._accept("SELECT"):
            return self._select()
        if self._accept("CREATE", "PRIMARY", "INDEX"):
            return self._create_index(primary=True)
        if self._accept("CREATE", "INDEX"):
            return self._create_index(primary=False)
        if self._accept("BUILD", "INDEX", "ON"):
            keyspace = self._keyspace()
            return BuildIndexes(keyspace, self._in_brackets(self._name))
        self._expect("DROP", "INDEX")
        name = self._name()
        if_exists = self._accept("IF", "EXISTS")
        self._expect("ON")
        return DropIndex(self._keyspace(), name, if_exists)

    def _subquery(self) -> Select:
        self._expect("(", "SELECT")
        found = self._select()
        self._expect(")")
        return found

    def _select(self) -> Select:
        # The alias is named after the columns that use it, so look for it first.
        self._alias = self._find_alias()
        raw = self._accept("RAW")
        expressions, names = zip(*self._list(self._column), strict=True)
        if raw and len(expressions) != 1:
            self._fail()
        self._expect("FROM")
        keyspace = self._keyspace()
        self._expect("AS")
        self._name()
        index = self._index_to_use() if self._accept("USE", "INDEX", "(") else None
        where = self._condition() if self._accept("WHERE") else None
        group = self._operand() if self._accept("GROUP", "BY") else None
        order = self._operand() if self._accept("ORDER", "BY") else None
        descending = order is not None and self._accept("DESC")
        limit = self._operand() if self._accept("LIMIT") else None
        columns = None if raw else names
        return Select(expressions, columns, keyspace, where, order, descending, limit, index, group)

    def _index_to_use(self) -> str:
        name = self._name()
        self._expect("USING", "GSI", ")")
        return name

    def _find_alias(self) -> str:
        words = [token.text.upper() for token in self._tokens[self._at :]]
        if "FROM" not in words or "AS" not in words[words.index("FROM") :]:
            self._fail()
        at = words.index("AS", words.index("FROM")) + 1
        return self._tokens[self._at + at].text if at < len(words) else ""

    def _column(self) -> tuple[Expression, str]:
        expression = self._operand()
        return expression, expression.name if isinstance(expression, Field | Meta) else "$1"

    def _create_index(self, *, primary: bool) -> CreateIndex:
        name = self._name()
        if_not_exists = self._accept("IF", "NOT", "EXISTS")
        self._expect("ON")
        keyspace = self._keyspace()
        keys = () if primary else self._in_brackets(self._index_key)
        where = self._condition() if self._accept("WHERE") else None
        options: dict[str, object] = {}
        if self._accept("WITH"):
            options = parse_json(self._text[self._peek().start :].rstrip().rstrip(";"))
            self._at = len(self._tokens)
        return CreateIndex(name, keyspace, keys, where, if_not_exists, options)

    def _index_key(self) -> IndexKey:
        if self._accept("DISTINCT", "ARRAY"):
            variable = self._tokens[self._at].text
            path = self._path(variable)
            self._expect("FOR")
            self._expect(variable.upper(), "IN")
            array = Field(self._name())
            self._expect("END")
            return IndexKey(Each(array, path))
        kind = Meta if self._accept("META", "(", ")", ".") else Field
        key = kind(self._name())
        descending = self._accept("DESC")
        if not descending:
            self._accept("ASC")
        return IndexKey(key, descending)

    def _path(self, variable: str) -> tuple[str, ...]:
        """Return the names behind a variable."""
        self._expect(variable.upper())
        names: list[str] = []
        while self._accept("."):
            names.append(self._name())
        return tuple(names)

    def _in_brackets(self, item: Callable[[], T]) -> tuple[T, ...]:
        self._expect("(")
        found = self._list(item)
        self._expect(")")
        return found

    def _keyspace(self) -> Keyspace:
        first = self._name()
        if self._accept(":"):
            return Keyspace(first, "", self._name())
        self._expect(".")
        scope = self._name()
        self._expect(".")
        return Keyspace(first, scope, self._name())

    # --- expressions

    def _condition(self) -> Expression:
        parts = [self._conjunction()]
        while self._accept("OR"):
            parts.append(self._conjunction())
        return parts[0] if len(parts) == 1 else Logic("OR", tuple(parts))

    def _conjunction(self) -> Expression:
        parts = [self._comparison()]
        while self._accept("AND"):
            parts.append(self._comparison())
        return parts[0] if len(parts) == 1 else Logic("AND", tuple(parts))

    def _comparison(self) -> Expression:
        if self._accept("ANY"):
            variable = self._name()
            self._expect("IN")
            array = self._operand()
            self._expect("SATISFIES")
            path = self._path(variable)
            self._expect("IN")
            values = self._operand()
            self._expect("END")
            return AnyOf(Each(array, path), values)
        if self._accept("("):
            inner = self._condition()
            self._expect(")")
            return inner
        left = self._operand()
        if self._accept("IN"):
            return Comparison("IN", left, self._operand())
        if self._accept("IS", "MISSING"):
            return IsMissing(left)
        if self._peek().text not in _SIGNS:
            self._fail()
        return Comparison(self._take().text, left, self._operand())

    def _operand(self) -> Expression:
        token = self._peek()
        match token.kind:
            case "parameter":
                return Parameter(self._take().text)
            case "number":
                return Literal(parse_json(self._take().text))
            case "string":
                text = self._take().text
                return Literal(
                    text[1:-1].replace("''", "'") if text[0] == "'" else parse_json(text)
                )
        if self._accept("["):
            elements = self._list(self._operand)
            self._expect("]")
            return Array(elements)
        if not self._alias:  # an index's fields have none
            return self._index_key().field
        if self._accept("COUNT", "(", "*", ")"):
            return CountAll()
        if self._accept("META", "("):
            self._check_alias()
            self._expect(")")
            self._expect(".")
            return Meta(self._name())
        self._check_alias()
        self._expect(".")
        return Field(self._name())

    def _check_alias(self) -> None:
        if self._peek().text != self._alias:
            self._fail()
        self._take()
