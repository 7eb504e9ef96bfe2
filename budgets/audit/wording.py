"""How the history speaks of each kind of object. A room registers the words of its own kinds, from any floor.

    register(Wording("usage.othercost", "cost", fields={"amount": "amount"}, values={"amount": money}, page="costs"))

What has no words here is shown by its fields' names.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any

from django.apps import apps
from django.contrib.auth.models import AbstractUser
from django.urls import NoReverseMatch, reverse

from budgets.audit.record import TOGETHER
from budgets.pages.amounts import whole
from budgets.pages.moments import clock, day_year

SHOWN = 300  # characters of a value; the CSV has all
INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)")
NOTHING: tuple[object, ...] = (None, "", [], {})


@dataclass(frozen=True)
class Wording:
    """The words for one kind.

    `phrase` is how a sentence calls an object ("the Translation budget"); `fields` are the fields in words (others keep
    their name), `values` how a field's value is said, `acts` acts that need other words than their own. `page` is the
    name of the address of an object's page, which takes the model's attribute `key` ("" for none). `references` are
    fields that hold the id of another model's row ("team_id": "budgets.team"). `undo` is the name of the address that
    takes an object's newest row back, for those with the right `undo_right`: it takes the attribute `key` and the id of
    that row.
    """

    type: str
    noun: str
    fields: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Callable[[Any], str]] = field(default_factory=dict)
    acts: Mapping[str, str] = field(default_factory=dict)
    page: str = ""
    key: str = ""
    phrase: str = "the {object} {noun}"
    references: Mapping[str, str] = field(default_factory=dict)
    undo: str = ""
    undo_right: str = ""
    differences: Callable[[dict[str, Any], dict[str, Any]], list[tuple[str, str, str]]] | None = None


_known: dict[str, Wording] = {}


def register(*wordings: Wording) -> None:
    """Add words for kinds; the last for a kind holds."""
    _known.update({one.type: one for one in wordings})


def wording_of(kind: str) -> Wording:
    """The kind's words, or some made of its name."""
    return _known.get(kind) or Wording(kind, kind.rpartition(".")[2] or "object")


def money(nano: Any) -> str:
    """Nano-dollars."""
    return whole(int(nano)) if nano is not None else "none"


def percent(share: Any) -> str:
    """Of a share such as "0.25"."""
    return f"{float(share) * 100:.4g}%"


def one_of(choices: Iterable[tuple[Any, Any]]) -> Callable[[Any], str]:
    """A choice by its label."""
    labels = dict(choices)
    return lambda value: str(labels.get(value, value))


def sentence(words: Wording, act: str) -> tuple[str, str]:
    """What stands before the object's name and after it: ("changed the", " budget")."""
    phrase = words.phrase.replace("{noun}", words.noun)
    before, _, after = words.acts.get(act, f"{act} {{what}}").replace("{what}", phrase).partition("{object}")
    return before.strip(), after.rstrip()


Names = Mapping[tuple[str, str], str]  # (model, id) → what it is called


def said(words: Wording, name: str, value: Any, zone: tzinfo, names: Names) -> str:
    """A value in words; "none" for nothing."""
    if value in NOTHING:
        return "none"
    if name in words.references:
        return names.get((words.references[name], str(value)), str(value))
    if name in words.values:
        try:
            return words.values[name](value)
        except (ArithmeticError, TypeError, ValueError, KeyError, AttributeError):
            pass  # written by another version, in another shape
    return _plain(value, zone)[:SHOWN]


def changes(words: Wording, before: Any, after: Any, zone: tzinfo, names: Names) -> list[tuple[str, str, str]]:
    """(field in words, before, after) of what differs. What was made, or is gone, has "none" on the other side."""
    if not isinstance(before or {}, dict) or not isinstance(after or {}, dict):
        return [("value", said(words, "", before, zone, names), said(words, "", after, zone, names))]
    was, now = before or {}, after or {}
    if words.differences is not None:
        return words.differences(was, now)
    fields = [name for name in {**words.fields, **was, **now} if name in was or name in now]
    return [
        (
            words.fields.get(name, name.removesuffix("_id").replace("_", " ")),
            said(words, name, was.get(name), zone, names),
            said(words, name, now.get(name), zone, names),
        )
        for name in fields
        if name != TOGETHER
        and (was.get(name) != now.get(name))
        and not (was.get(name) in NOTHING and now.get(name) in NOTHING)
    ]


def names_in(rows: Iterable[tuple[str, Any, Any]]) -> dict[tuple[str, str], str]:
    """What the rows' (kind, before, after) refer to by id is called now. One statement for each model referred to."""
    wanted: dict[str, set[int]] = {}
    for kind, *sides in rows:
        for name, model in wording_of(kind).references.items():
            for side in sides:
                value = side.get(name) if isinstance(side, dict) else None
                if isinstance(value, int):
                    wanted.setdefault(model, set()).add(value)
    return {
        (model, str(one.pk)): one.get_full_name() or one.get_username() if isinstance(one, AbstractUser) else str(one)
        for model, ids in wanted.items()
        for one in apps.get_model(model)._default_manager.filter(pk__in=ids)
    }


def links(objects: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """(kind, id) → address of the object's page, where it has one. One statement for each kind with pages."""
    by_kind: dict[str, set[str]] = {}
    for kind, identity in objects:
        by_kind.setdefault(kind, set()).add(identity)
    found: dict[tuple[str, str], str] = {}
    for kind, identities in by_kind.items():
        words = wording_of(kind)
        if words.page:
            found.update({(kind, one): url for one, url in _pages(words, identities).items()})
    return found


def undo_links(newest: Mapping[tuple[str, str], int]) -> dict[int, str]:
    """(kind, id) → its newest row, as row → address that takes it back. One statement for each kind that has one."""
    by_kind: dict[str, dict[str, int]] = {}
    for (kind, identity), row in newest.items():
        by_kind.setdefault(kind, {})[identity] = row
    found: dict[int, str] = {}
    for kind, rows in by_kind.items():
        words = wording_of(kind)
        try:
            for identity, key in keys_of(words, rows).items():
                found[rows[identity]] = reverse(words.undo, args=[key, rows[identity]])
        except (NoReverseMatch, LookupError):  # the page is on a floor that is not there
            continue
    return found


def keys_of(words: Wording, identities: Iterable[str]) -> dict[str, Any]:
    """Id → what stands in addresses of those objects that are still there. One statement."""
    numbers = [int(one) for one in identities if one.isdecimal() and len(one) < 19]
    manager = apps.get_model(words.type)._default_manager
    rows: Iterable[Any] = manager.filter(pk__in=numbers).values_list("pk", words.key)
    return {str(pk): key for pk, key in rows}


def _pages(words: Wording, identities: set[str]) -> dict[str, str]:
    try:
        if not words.key:
            url = reverse(words.page)
            return dict.fromkeys(identities, url)
        return {identity: reverse(words.page, args=[key]) for identity, key in keys_of(words, identities).items()}
    except (NoReverseMatch, LookupError):  # the page is on a floor that is not there
        return {}


def _plain(value: Any, zone: tzinfo) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_plain(one, zone) for one in value)
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')}: {_plain(one, zone)}" for name, one in value.items())
    if isinstance(value, int):
        return f"{value:,}"
    text = "none" if value is None else str(value)
    if INSTANT.fullmatch(text):
        local = datetime.fromisoformat(text).astimezone(zone)
        return f"{day_year(local.date())}, {clock(local)}"
    return text
