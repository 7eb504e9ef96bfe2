"""A price as the arithmetic wants it: whole numbers, made once from a price entry's decimals.

Pure: neither Django nor models. Token rates are integers of 10^-14 dollars a token, which every price of at most eight
decimals per million tokens is exactly (price / 10^6 tokens x 10^14). Unit prices are integers of 10^-18 dollars each.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final

import msgspec

RATE_PER_DOLLAR: Final = 10**8  # dollars per million tokens -> 10^-14 dollars a token
RATE_PER_NANO: Final = 10**5  # 10^-14 dollars in a nano-dollar
UNIT_SCALE: Final = 10**18  # dollars -> 10^-18 dollars
TOKEN_UNIT_SCALE: Final = 10**4  # 10^-14 -> 10^-18 dollars

INPUT, CACHED, CACHE_WRITE, OUTPUT = range(4)
# Kinds of tokens with a price of their own that the event names in `units`. They are part of the count named here, so
# they are taken out of it and priced apart. Cached audio is a kind of cached input, other audio of uncached input.
TOKEN_KINDS: Final[Mapping[str, int]] = {
    "cache_write_1h_tokens": CACHE_WRITE,
    "input_audio_tokens": INPUT,
    "input_image_tokens": INPUT,
    "input_video_tokens": INPUT,
    "cached_audio_tokens": CACHED,
    "cached_image_tokens": CACHED,
    "output_audio_tokens": OUTPUT,
    "output_image_tokens": OUTPUT,
    "output_video_tokens": OUTPUT,
    "citation_tokens": OUTPUT,
    "reasoning_tokens": OUTPUT,
}
REQUEST: Final = "request"  # a price per call, owed by every call without being named
FIELDS: Final = ("input", "cached_input", "cache_write", "output")


class Rates(msgspec.Struct, frozen=True, gc=False):
    """Token rates in 10^-14 dollars, unit prices in 10^-18 dollars each. None: the book states no price."""

    input: int | None
    cached: int | None
    cache_write: int | None
    output: int | None
    complete: bool  # all four are stated, so no call can be unpriced for its tokens
    per_call: bool  # a price per request or for reasoning tokens: owed without a unit being named
    units: dict[str, int]
    nano: tuple[int, int, int, int] | None  # the four in nano-dollars, where all are stated and whole: most models


class Window(msgspec.Struct, frozen=True, gc=False):
    """Other rates at some hours (UTC) of some weekdays (Monday is 1), but not on the days listed."""

    starts: time
    ends: time  # not included; before `starts`: over midnight
    weekdays: frozenset[int]
    besides: frozenset[date]
    rates: Rates
    steps: tuple[tuple[int, Rates], ...]

    def holds(self, when: datetime) -> bool:
        """Whether `when` (aware) falls into it. Over midnight the weekday is that of the instant itself."""
        utc = when.astimezone(UTC)
        clock = utc.time()
        if self.starts <= self.ends:
            inside = self.starts <= clock < self.ends
        else:
            inside = clock >= self.starts or clock < self.ends
        return inside and utc.isoweekday() in self.weekdays and utc.date() not in self.besides


class Price(msgspec.Struct, frozen=True, gc=False):
    """One price entry for one (provider, model) it answers for. `steps` ascend by the whole input that reaches them."""

    price_id: int
    provider: str
    model: str
    service_tier: str
    rates: Rates
    steps: tuple[tuple[int, Rates], ...] = ()
    windows: tuple[Window, ...] = ()

    def at(self, when: datetime) -> "Price":
        """The price as it is at the hour of `when`: the first window that holds, else the price itself."""
        for window in self.windows:
            if window.holds(when):
                return msgspec.structs.replace(self, rates=window.rates, steps=window.steps, windows=())
        return self

    def reached(self, whole_input: int) -> Rates:
        """The rates of a call whose whole input is `whole_input` tokens: those of the last step that it reaches."""
        rates = self.rates
        for start, step in self.steps:
            if whole_input < start:
                break
            rates = step
        return rates


def exact(value: Any, scale: int, what: str) -> int:
    """`value` (Decimal or decimal text, not negative) as a whole number of 1/`scale`; ValueError if it is none."""
    number = Decimal(value)
    if not number.is_finite() or number < 0:
        raise ValueError(f"{what} must be a price of 0 or more, not {value}.")
    numerator, denominator = number.as_integer_ratio()
    whole, rest = divmod(numerator * scale, denominator)
    if rest:
        raise ValueError(f"{what} has more decimals than the price book keeps: {value}.")
    return whole


def rates_from(values: Mapping[str, Any]) -> Rates:
    """Rates of a price entry, a step or a window: `input`, `cached_input`, `cache_write`, `output`, `units`.

    Cached input and cache writes that have no price of their own cost what input costs.
    """
    stated = [
        None if values.get(name) is None else exact(values[name], RATE_PER_DOLLAR, name.replace("_", " ").capitalize())
        for name in FIELDS
    ]
    input_, cached, cache_write, output = stated
    if cached is None:
        cached = input_
    if cache_write is None:
        cache_write = input_
    units: dict[str, int] = {}
    for name, each in (values.get("units") or {}).items():
        units[name] = exact(each, UNIT_SCALE, f"The price of one {name}")
    for name in list(units):
        units.setdefault(plural(name), units[name])
    nano: tuple[int, int, int, int] | None = None
    if input_ is not None and cached is not None and cache_write is not None and output is not None:
        numbers = (input_, cached, cache_write, output)
        if not any(number % RATE_PER_NANO for number in numbers):
            nano = (
                input_ // RATE_PER_NANO,
                cached // RATE_PER_NANO,
                cache_write // RATE_PER_NANO,
                output // RATE_PER_NANO,
            )
    return Rates(
        input=input_,
        cached=cached,
        cache_write=cache_write,
        output=output,
        complete=None not in (input_, cached, cache_write, output),
        per_call=REQUEST in units or "reasoning_tokens" in units,
        units=units,
        nano=nano,
    )


def plural(name: str) -> str:
    """Senders count `web_search` and `web_searches` alike."""
    if name.endswith("s"):
        return name
    return name + ("es" if name.endswith(("ch", "sh", "x")) else "s")


def steps_from(base: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> tuple[tuple[int, Rates], ...]:
    """Long-context steps, ascending. A step states what changes; the rest stays as in `base`."""
    made = []
    for step in sorted(steps, key=lambda step: int(step["from_input_tokens"])):
        values = {name: step[name] if step.get(name) is not None else base.get(name) for name in FIELDS}
        values["units"] = {**(base.get("units") or {}), **(step.get("units") or {})}
        made.append((int(step["from_input_tokens"]), rates_from(values)))
    return tuple(made)


def window_from(base: Mapping[str, Any], window: Mapping[str, Any]) -> Window:
    """One of an entry's `hours`: what it does not state stays as in `base`, long-context steps included."""
    values: dict[str, Any] = {name: window[name] if window.get(name) is not None else base.get(name) for name in FIELDS}
    values["units"] = {**(base.get("units") or {}), **(window.get("units") or {})}
    return Window(
        starts=time.fromisoformat(window["from"]),
        ends=time.fromisoformat(window["to"]),
        weekdays=frozenset(window.get("weekdays") or range(1, 8)),
        besides=frozenset(date.fromisoformat(day) for day in window.get("except") or ()),
        rates=rates_from(values),
        steps=steps_from(values, window.get("steps") or base.get("steps") or ()),
    )


def price_from(price_id: int, provider: str, model: str, service_tier: str, values: Mapping[str, Any]) -> Price:
    """A `Price` from an entry's columns (`FIELDS`, `units`, `steps`, `hours`); ValueError names what is wrong."""
    return Price(
        price_id=price_id,
        provider=provider,
        model=model,
        service_tier=service_tier,
        rates=rates_from(values),
        steps=steps_from(values, values.get("steps") or ()),
        windows=tuple(window_from(values, window) for window in values.get("hours") or ()),
    )
