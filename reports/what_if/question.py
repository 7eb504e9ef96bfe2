"""What is supposed, as the address says it. Pure: no Django, no models. What makes no sense is left out, with a note.

`price` times what `price_of` costs; the model `withdraw` gone and `instead` in its place; `move` percent of the traffic
of `move_from` to the model `move_to`; `volume` times the calls of `volume_of`; `plan` dollars in thirty days; workflows
to `pause`.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction

Named = tuple[str, str]
KEYS = frozenset(
    {"price", "price_of", "withdraw", "instead", "move", "move_from", "move_to", "volume", "volume_of", "plan", "pause"}
)
MOST_FACTOR, MOST_PLAN = 1_000, Decimal(10) ** 9
MOST_PAUSED = 500
NANO = 10**9
DECIMALS = 4
THOUSANDS = re.compile(r"[1-9][0-9]{0,2}(,[0-9]{3})+(\.[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Offers:
    """What there is to choose from: providers and models in use, models with a price, workflows by short name."""

    providers: Sequence[str]
    used: Sequence[Named]
    priced: Sequence[Named]
    workflows: Collection[str]

    def one(self, text: str, among: Iterable[Named]) -> Named | None:
        """The model that a field names, as `key_of` writes it."""
        return next((one for one in among if key_of(one) == text), None)


def key_of(model: Named) -> str:
    """A model as a field of the form has it."""
    return f"{model[0]}/{model[1]}"


@dataclass(frozen=True, slots=True)
class Which:
    """Models that something is supposed of: all of a provider, one of them, or all there are."""

    provider: str | None = None
    model: str | None = None

    def has(self, provider: str, model: str) -> bool:
        return self.provider in {None, provider} and self.model in {None, model}


@dataclass(frozen=True, slots=True)
class Question:
    """What is supposed; factors and shares are exact. `plan` in nano-dollars for thirty days, None: none was stated."""

    price: Fraction = Fraction(1)
    price_of: Which = Which()
    withdrawn: Named | None = None
    instead: Named | None = None
    move: Fraction = Fraction(0)
    move_from: Which = Which()
    move_to: Named | None = None
    volume: Fraction = Fraction(1)
    volume_of: str | None = None
    plan: int | None = None
    paused: frozenset[str] = frozenset()

    @property
    def changes(self) -> bool:
        """Whether anything is supposed at all."""
        return bool(self.price != 1 or self.withdrawn or self.move or self.volume != 1 or self.paused)

    def volume_in(self, workflow: str) -> Fraction:
        """So many times its calls."""
        return self.volume if self.volume_of in {None, workflow} else Fraction(1)


def question_of(query: Mapping[str, str], paused: Sequence[str], offers: Offers) -> tuple[Question, list[str]]:
    """What is supposed, and a sentence for each thing that was left out."""
    notes: list[str] = []
    price = _factor(query.get("price", ""), "The prices", notes)
    volume = _factor(query.get("volume", ""), "The number of calls", notes)
    price_of = _which(query.get("price_of", ""), offers, notes)
    withdrawn, instead = _replaced(query, offers, notes)
    move, move_from, move_to = _moved(query, offers, notes)
    if move_to is not None and move_to == withdrawn:
        notes.append(f"{move_to[1]} is gone, so nothing moves to it.")
        move, move_from, move_to = Fraction(0), Which(), None
    volume_of = query.get("volume_of", "") or None
    if volume_of is not None and volume_of not in offers.workflows:
        notes.append(f"There is no workflow “{volume_of[:60]}” in these days; the calls of all of them were taken.")
        volume_of = None
    unknown = [slug for slug in paused if slug not in offers.workflows]
    if unknown:
        notes.append(f"“{unknown[0][:60]}” made no call in these days, so pausing it changes nothing.")
    return Question(
        price=price,
        price_of=price_of,
        withdrawn=withdrawn,
        instead=instead,
        move=move,
        move_from=move_from,
        move_to=move_to,
        volume=volume,
        volume_of=volume_of,
        plan=_plan(query.get("plan", ""), notes),
        paused=frozenset(slug for slug in paused[:MOST_PAUSED] if slug in offers.workflows),
    ), notes


def _number(text: str) -> Decimal | None:
    """ "1,5" and "1.5" are one and a half, "1,500" and "1,500.50" have thousands."""
    bare = text.strip()
    if THOUSANDS.fullmatch(bare):
        bare = bare.replace(",", "")
    try:
        value = Decimal(bare.replace(",", "."))
    except InvalidOperation:
        return None
    exponent = value.as_tuple().exponent if value.is_finite() else None
    return value if isinstance(exponent, int) and exponent >= -DECIMALS and value >= 0 else None


def _factor(text: str, what: str, notes: list[str]) -> Fraction:
    if not text.strip():
        return Fraction(1)
    value = _number(text)
    if value is None or value > MOST_FACTOR:
        notes.append(f"{what} times “{text[:20]}” makes no sense; write a number from 0 to {MOST_FACTOR:,}, like 2.")
        return Fraction(1)
    return Fraction(value)


def _plan(text: str, notes: list[str]) -> int | None:
    bare = text.strip().removeprefix("$")
    if not bare:
        return None
    value = _number(bare)
    if value is None or value > MOST_PLAN:
        notes.append(f"“{text[:20]}” is no amount; write dollars like 5,000.")
        return None
    return int(value * NANO)


def _which(text: str, offers: Offers, notes: list[str]) -> Which:
    if not text:
        return Which()
    if text in offers.providers:
        return Which(text)
    if (model := offers.one(text, offers.used)) is not None:
        return Which(*model)
    notes.append(f"No call used “{text[:60]}” in these days; all models were taken.")
    return Which()


def _replaced(query: Mapping[str, str], offers: Offers, notes: list[str]) -> tuple[Named | None, Named | None]:
    gone, other = query.get("withdraw", ""), query.get("instead", "")
    if not gone:
        return None, None
    withdrawn, instead = offers.one(gone, offers.used), offers.one(other, offers.priced)
    if withdrawn is None:
        notes.append(f"No call used “{gone[:60]}” in these days; its end changes nothing.")
    elif instead is None:
        notes.append(f"Say which model takes the place of {withdrawn[1]}: one with a price.")
    elif instead == withdrawn:
        notes.append(f"{withdrawn[1]} cannot take its own place.")
    else:
        return withdrawn, instead
    return None, None


def _moved(query: Mapping[str, str], offers: Offers, notes: list[str]) -> tuple[Fraction, Which, Named | None]:
    text = query.get("move", "").strip().removesuffix("%")
    if not text:
        return Fraction(0), Which(), None
    percent, target = _number(text), offers.one(query.get("move_to", ""), offers.priced)
    if percent is None or percent > 100:
        notes.append(f"“{text[:20]}” is no share; write percent from 0 to 100.")
    elif target is None:
        notes.append("Say to which model the traffic moves: one with a price.")
    else:
        return Fraction(percent) / 100, _which(query.get("move_from", ""), offers, notes), target
    return Fraction(0), Which(), None
