"""How the query service chooses an index, and what it then reads: its planner's rule, in short.

An index is of use when its first key has a condition and its own condition is among the query's.
Of several that hold all that is asked for, those remain whose keys have the most conditions, from
the first key on, then in all. What is still even is taken in the order of a map of the planner's
process, which is no order: here a seed shuffles it. An index that the query names is taken if it
exists and is of use. If not, the name is ignored without a word.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.couchbase.indexes import Index, text_of
from tests.couchbase.sqlpp import (
    AnyOf,
    Array,
    Comparison,
    Expression,
    Field,
    IsMissing,
    Logic,
    Meta,
    Row,
    Select,
    conditions,
)

ID = text_of(Meta("id"))


@dataclass(frozen=True, slots=True)
class Plan:
    """An index, and what it does for a query."""

    index: Index
    #: No document has to be read.
    covers: bool
    #: The entries come in the order that is asked for, so that a limit ends the scan.
    ordered: bool


def choose(select: Select, online: Sequence[Index], rng: random.Random) -> Plan | None:
    """Return the plan for a query, by the indexes of its keyspace that are online; None: none."""
    named = [index for index in online if index.name == select.index]
    rest = [index for index in online if index.name != select.index]
    return _choose(select, named, rng) or _choose(select, rest, rng)


def _choose(select: Select, indexes: Sequence[Index], rng: random.Random) -> Plan | None:
    useful = [index for index in indexes if index.keys and _is_useful(select, index)]
    plans = [_plan(select, index) for index in useful]
    plans = [plan for plan in plans if plan.covers] or plans
    rng.shuffle(plans)
    if not plans:
        primary = next((index for index in indexes if not index.keys), None)
        return None if primary is None else _plan(select, primary)
    return max(plans, key=lambda plan: _rank(select, plan))


def _rank(select: Select, plan: Plan) -> tuple[Any, ...]:
    """Return what is compared, the weightiest first. Of equals `max` takes the first."""
    asked = _sargable(select, plan)
    return asked, plan.ordered, -len(plan.index.keys)


def _is_useful(select: Select, index: Index) -> bool:
    asked = conditions(select.where)
    return index.plain_keys[0] in _conditions_by_key(select) and all(
        condition in asked for condition in conditions(index.condition)
    )


def _plan(select: Select, index: Index) -> Plan:
    held = {*index.plain_keys, ID}
    covers = all(text_of(part) in held for part in _parts(select))
    return Plan(index, covers, _gives_order(select, index))


def _sargable(select: Select, plan: Plan) -> tuple[bool, ...]:
    """Whether each key has a condition, up to the last that has: the first difference decides."""
    asked = _conditions_by_key(select)
    found = [key in asked for key in plan.index.plain_keys]
    while found and not found[-1]:
        found.pop()
    return tuple(found)


def _gives_order(select: Select, index: Index) -> bool:
    """Whether the key to order by comes behind keys that have one value each."""
    if select.order is None:
        return False
    asked = _conditions_by_key(select)
    for key, plain in zip(index.keys or (ID,), index.plain_keys or (ID,), strict=True):
        if plain == text_of(select.order):
            return key.endswith(" DESC") is select.descending
        if not any(condition.sign == "=" for condition in asked.get(plain, ())):
            return False
    return False


def _conditions_by_key(select: Select) -> dict[str, list[Comparison | AnyOf]]:
    found: dict[str, list[Comparison | AnyOf]] = {}
    for condition in conditions(select.where):
        match condition:
            case Comparison(_, Field() | Meta() as left):
                found.setdefault(text_of(left), []).append(condition)
            case AnyOf(each):
                found.setdefault(text_of(each), []).append(condition)
            case IsMissing(field):
                found.setdefault(text_of(field), [])
    return found


def _parts(select: Select) -> Iterator[Expression]:
    """Return the fields that a query reads."""
    yield from _fields(select.where)
    yield from _fields(select.order)
    yield from _fields(select.group)
    for expression in select.expressions:
        yield from _fields(expression)


def _fields(expression: Expression | None) -> Iterator[Expression]:
    match expression:
        case Field() | Meta():
            yield expression
        case IsMissing(field):
            yield field
        case Comparison(_, left, right):
            yield from _fields(left)
            yield from _fields(right)
        case AnyOf(each):
            yield each.array
        case Logic(_, parts) | Array(parts):
            for part in parts:
                yield from _fields(part)


def scan(
    plan: Plan, select: Select, rows: Sequence[Row], parameters: Mapping[str, Any]
) -> tuple[list[Row], int]:
    """Return the rows that a query selects, in its order, and how many entries were scanned.

    A scan reads the range of the keys that have a condition, from the first on, up to the first
    that has not one value only. Everything else is filtered, and a limit helps if the order fits.
    """
    part = list(rows)
    for condition in [*_range(plan.index, select), *conditions(plan.index.condition)]:
        part = [row for row in part if condition.value(row, parameters) is True]
    where, order = select.where, select.order
    if order is not None:
        part.sort(key=lambda row: order.value(row, parameters), reverse=select.descending)
    limit = len(part)
    if select.limit is not None and (plan.ordered or order is None):
        limit = select.limit.value(Row(None, {}), parameters)
    found: list[Row] = []
    scanned = 0
    for row in part:
        if len(found) == limit:
            break
        scanned += 1
        if where is None or where.value(row, parameters) is True:
            found.append(row)
    return found, scanned


def _range(index: Index, select: Select) -> Iterator[Comparison | AnyOf]:
    asked = _conditions_by_key(select)
    for key in index.plain_keys:
        yield from asked.get(key, ())
        if not any(condition.sign == "=" for condition in asked.get(key, ())):
            return
