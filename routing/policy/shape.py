"""What a policy may hold at all, whatever else there is: reading what was sent, its one written form. Pure.

What it means together with workflows, prices and budgets is said by `routing.policy.validate`.
"""

import re
from collections.abc import Iterator
from decimal import Decimal

import msgspec

from routing.policy.document import LISTS, SPANS, Conditions, Outcome, Policy, PolicyTier, Rule, Span, TimeOfDay

CACHE_KINDS = ("prompt", "semantic", "response", "retrieval", "embedding")
MOST_TIERS, MOST_MODELS, MOST_RULES, MOST_VALUES, MOST_ENVIRONMENTS = 20, 50, 500, 200, 50
HIGHEST_TIER = 99
MOST = 10**18  # of nano-dollars or tokens: far below what the database holds
LONGEST_LATENCY = 3_600_000  # milliseconds
LONGEST_NAME, LONGEST_TIER_NAME, LONGEST_PROVIDER, LONGEST_NOTE = 128, 64, 64, 500
SHARES = ("complexity",)
DECIMALS = ("business_value", "complexity")

_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,8})(\.[0-9]{1,9})?")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_PATH = re.compile(r" - at `(?:key in )?\$(.*)`$")

Problems = dict[str, str]  # path such as "rules.3.then.tier" → sentence


class InvalidPolicy(ValueError):
    """`problems`: path in the document ("tiers.0.name") → sentence."""

    def __init__(self, problems: Problems) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = problems


def parsed(document: object) -> Policy:
    """What was sent as a policy in its one written form. Raises InvalidPolicy."""
    try:
        policy = msgspec.convert(document, Policy)
    except msgspec.ValidationError as error:
        raise InvalidPolicy(_sentence_of(str(error))) from error
    except RecursionError as error:
        raise InvalidPolicy({"": "This is nested too deeply."}) from error
    return checked(policy)


def checked(policy: Policy) -> Policy:
    """The same in its one written form. Raises InvalidPolicy."""
    if problems := dict(problems_of(policy)):
        raise InvalidPolicy(problems)
    return tidied(policy)


def tidied(policy: Policy) -> Policy:
    """Tiers by number, names without edges, lists without repeats: equal policies are stored alike."""
    tiers = [
        msgspec.structs.replace(one, name=_line(one.name), review_note=one.review_note.strip()) for one in policy.tiers
    ]
    rules = [msgspec.structs.replace(one, name=_line(one.name), when=_tidied_when(one.when)) for one in policy.rules]
    return msgspec.structs.replace(policy, tiers=sorted(tiers, key=lambda one: one.number), rules=rules)


def problems_of(policy: Policy) -> Iterator[tuple[str, str]]:
    """(path, sentence) for each thing that cannot be saved; of what is too much, that it is."""
    if too_many := list(_too_many(policy)):
        yield from too_many
        return
    numbers, ids = set[int](), set[str]()
    for n, tier in enumerate(policy.tiers):
        if tier.number in numbers:
            yield f"tiers.{n}.number", f"There are two tiers with the number {tier.number}."
        numbers.add(tier.number)
        yield from _at(f"tiers.{n}", _tier(tier))
    for n, rule in enumerate(policy.rules):
        if rule.id in ids:
            yield f"rules.{n}.id", f"There are two rules with the id “{rule.id[:64]}”."
        ids.add(rule.id)
        yield from _at(f"rules.{n}", _rule(rule))
    yield from _at("otherwise", _outcome(policy.otherwise))
    for environment, tokens in policy.daily_tokens.items():
        if said := problem_with_name(environment):
            yield "daily_tokens", said
        elif not 1 <= tokens <= MOST:
            yield f"daily_tokens.{environment}", "Give a number of tokens a day above zero."


def problem_with_name(name: str, longest: int = LONGEST_NAME) -> str:
    """Of anything that events name; "" where it will do."""
    if not name.strip():
        return "Give a name."
    if len(name) > longest:
        return f"This name is too long: at most {longest} characters."
    return "" if storable(name) else "This name holds a character that cannot be stored."


def storable(text: str) -> bool:
    """Whether the database takes it."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def number(value: int | str) -> Decimal:
    """A bound of a span, exactly."""
    return Decimal(value)


def _too_many(policy: Policy) -> Iterator[tuple[str, str]]:
    for name, rows, most in (
        ("tiers", policy.tiers, MOST_TIERS),
        ("rules", policy.rules, MOST_RULES),
        ("daily_tokens", policy.daily_tokens, MOST_ENVIRONMENTS),
    ):
        if len(rows) > most:
            yield name, f"There can be at most {most} of these."


def _tier(tier: PolicyTier) -> Iterator[tuple[str, str]]:
    if not 1 <= tier.number <= HIGHEST_TIER:
        yield "number", f"A tier's number is from 1, the cheapest, to {HIGHEST_TIER}."
    if said := problem_with_name(tier.name, LONGEST_TIER_NAME):
        yield "name", said
    if len(tier.review_note) > LONGEST_NOTE or not storable(tier.review_note):
        yield "review_note", f"Keep the note under {LONGEST_NOTE} plain characters."
    if len(tier.models) > MOST_MODELS:
        yield "models", f"A tier has at most {MOST_MODELS} models."
    for n, model in enumerate(tier.models):
        found = {
            "provider": problem_with_name(model.provider, LONGEST_PROVIDER),
            "model": problem_with_name(model.model),
            "latency_ms": _problem_with_latency(model.latency_ms),
            "quality": _problem_with_share(model.quality),
        }
        yield from ((f"models.{n}.{name}", said) for name, said in found.items() if said)


def _rule(rule: Rule) -> Iterator[tuple[str, str]]:
    if not _ID.fullmatch(rule.id):
        yield "id", "A rule's id has small letters, digits and dashes, at most 64 of them."
    if said := problem_with_name(rule.name):
        yield "name", said
    for name in LISTS:
        values: list[str] = getattr(rule.when, name)
        if len(values) > MOST_VALUES:
            yield f"when.{name}", f"A condition names at most {MOST_VALUES} values."
        for n, value in enumerate(values):
            if said := problem_with_name(value):
                yield f"when.{name}.{n}", said
    for name in SPANS:
        span: Span | None = getattr(rule.when, name)
        if span is not None:
            yield from _at(f"when.{name}", _span(name, span))
    if rule.when.time_of_day is not None:
        yield from _at("when.time_of_day", _time(rule.when.time_of_day))
    yield from _at("then", _outcome(rule.then))


def _span(name: str, span: Span) -> Iterator[tuple[str, str]]:
    if span.at_least is None and span.below is None:
        yield "", "Say from where on, below what, or both."
    for bound, value in (("at_least", span.at_least), ("below", span.below)):
        if value is None:
            continue
        if name in DECIMALS:
            if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
                yield bound, "Give a number as text, such as “0.5”."
            elif name in SHARES and Decimal(value) > 1:
                yield bound, "Give a share from 0 to 1."
        elif isinstance(value, str) or not 0 <= value <= MOST:
            yield bound, "Give a whole number from zero on."


def _time(time: TimeOfDay) -> Iterator[tuple[str, str]]:
    for name, value in (("from", time.start), ("to", time.to)):
        if not _CLOCK.fullmatch(value):
            yield name, "Give a time such as 22:00."
    if any(not 1 <= day <= 7 for day in time.days) or len(set(time.days)) < len(time.days):
        yield "days", "Name each day once, from 1 for Monday to 7 for Sunday."


def _outcome(then: Outcome) -> Iterator[tuple[str, str]]:
    if then.tier is not None and not 1 <= then.tier <= HIGHEST_TIER:
        yield "tier", "Choose one of the tiers."
    if (then.provider is None) != (then.model is None):
        yield "model", "Name both the provider and the model, or neither."
    for name, value, longest in (
        ("provider", then.provider, LONGEST_PROVIDER),
        ("model", then.model, LONGEST_NAME),
    ):
        if value is not None and (said := problem_with_name(value, longest)):
            yield name, said
    if said := _problem_with_latency(then.latency_ms):
        yield "latency_ms", said
    if said := _problem_with_share(then.quality):
        yield "quality", said
    if then.max_cost_nano is not None and not 0 <= then.max_cost_nano <= MOST:
        yield "max_cost_nano", "Give an amount from zero on."
    if then.max_output_tokens is not None and not 1 <= then.max_output_tokens <= MOST:
        yield "max_output_tokens", "Give a number of tokens above zero."
    if then.cache is not None and (unknown := [one for one in then.cache if one not in CACHE_KINDS]):
        yield "cache", f"“{unknown[0][:64]}” is no cache. Choose from: {', '.join(CACHE_KINDS)}."


def _problem_with_latency(value: int | None) -> str:
    good = value is None or 1 <= value <= LONGEST_LATENCY
    return "" if good else f"Give milliseconds from 1 to {LONGEST_LATENCY:,}."


def _problem_with_share(value: str | None) -> str:
    good = value is None or (_DECIMAL.fullmatch(value) and Decimal(value) <= 1)
    return "" if good else "Give a share from 0 to 1 as text, such as “0.85”."


def _tidied_when(when: Conditions) -> Conditions:
    lists = {name: list(dict.fromkeys(getattr(when, name))) for name in LISTS}
    time = when.time_of_day
    if time is not None:
        time = msgspec.structs.replace(time, days=sorted(time.days))
    return msgspec.structs.replace(when, **lists, time_of_day=time)


def _at(path: str, problems: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    return ((f"{path}.{name}" if name else path, said) for name, said in problems)


def _line(text: str) -> str:
    return " ".join(text.split())


def _sentence_of(said: str) -> Problems:
    """What msgspec says of a document, as path and sentence: "Expected `int`, got `str` - at `$.tiers[0].number`"."""
    found = _PATH.search(said)
    path = found.group(1) if found else ""
    path = re.sub(r"\[(\d+)\]", r".\1", path).replace("[...]", "").lstrip(".")
    words = _PATH.sub("", said).replace("`", "").rstrip(".")
    if words.startswith("Object contains unknown field"):
        return {path: f"There is no field “{words.split()[-1]}” here."}
    if words.startswith("Object missing required field"):
        return {path: f"The field “{words.split()[-1]}” is missing."}
    return {path: f"This does not fit here: {words[:1].lower()}{words[1:]}."}
