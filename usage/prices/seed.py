"""The book's first entries, from the genai-prices that is installed.

Its prices become dated entries: a price without a start date holds from `FAR_PAST`, a start date is midnight UTC (as
the library reads it), request variants become service tiers. A tier is priced only from the date on which the library
knows its price; before, the library would give the standard price, we say unpriced.

Left out, so that nothing is priced wrongly: variants that an event cannot name (`speed: fast`, `route`, `search_type`),
Groq's Whisper models, which bill ten seconds at least, and models with a kind of price that this program does not know.
Prices of more than eight decimals (converted ones, 0.08333…) are rounded to eight, which is what an entry keeps.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from usage.prices.peak import peak_days, peak_factor

if TYPE_CHECKING:
    from django.db.models import Model
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ConditionalPrice, ModelInfo, ModelPrice

SEED_ORIGIN: Final = "genai-prices"  # PriceEntry.Origin.SEED; the migration's frozen model has no such enum
FAR_PAST: Final = datetime(2000, 1, 1, tzinfo=UTC)
TOKEN_PRICES: Final = {
    "input_mtok": "input",
    "cache_read_mtok": "cached_input",
    "cache_write_mtok": "cache_write",
    "cache_write_5m_mtok": "cache_write",
    "output_mtok": "output",
}
# genai-prices' key -> our unit, and how many of it the price is for.
UNIT_PRICES: Final = {
    "cache_write_1h_mtok": ("cache_write_1h_tokens", 10**6),
    "input_audio_mtok": ("input_audio_tokens", 10**6),
    "input_image_mtok": ("input_image_tokens", 10**6),
    "input_video_mtok": ("input_video_tokens", 10**6),
    "cache_audio_read_mtok": ("cached_audio_tokens", 10**6),
    "cache_image_read_mtok": ("cached_image_tokens", 10**6),
    "output_audio_mtok": ("output_audio_tokens", 10**6),
    "output_image_mtok": ("output_image_tokens", 10**6),
    "output_video_mtok": ("output_video_tokens", 10**6),
    "output_reasoning_mtok": ("reasoning_tokens", 10**6),
    "output_citation_mtok": ("citation_tokens", 10**6),
    "web_searches_kcount": ("web_search", 10**3),
    "storage_searches_kcount": ("file_search", 10**3),
    "requests_kcount": ("request", 10**3),
    "audio_hours": ("audio_second", 3600),
    "input_audio_hours": ("audio_second", 3600),
    "input_document_kpages": ("document_page", 10**3),
    "input_annotated_document_kpages": ("annotated_page", 10**3),
    "input_mchars": ("character", 10**6),
    "input_text_messages_kcount": ("message", 10**3),
}
LEFT_OUT: Final = {("groq", "whisper-large-v3"), ("groq", "whisper-large-v3-turbo")}
CONTEXTS: Final = {
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
}
RATE_STEP: Final = Decimal("1e-8")
UNIT_STEP: Final = Decimal("1e-18")


@dataclass(frozen=True)
class SeedEntry:
    """A price entry as genai-prices states it; fields as in PriceEntry, JSON fields with decimal text."""

    provider: str
    model: str
    service_tier: str
    valid_from: datetime
    valid_to: datetime | None
    input: Decimal | None = None
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None
    output: Decimal | None = None
    units: dict[str, str] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)
    hours: list[dict[str, Any]] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, str, str, datetime]:
        return self.provider, self.model, self.service_tier, self.valid_from

    def prices(self) -> dict[str, Any]:
        """All but who, which and when."""
        values = asdict(self)
        return {name: values[name] for name in PRICE_FIELDS}


PRICE_FIELDS: Final = ("input", "cached_input", "cache_write", "output", "units", "steps", "hours")


@cache
def package() -> str:
    """genai-prices and its version, as an entry's note has it."""
    return f"genai-prices {version('genai-prices')}"


@dataclass(frozen=True)
class Seed:
    """What genai-prices says, in a fixed order, and the models ("provider/model") with a price of an unknown kind."""

    entries: list[SeedEntry]
    not_understood: list[str]


def read_seed(snapshot: "DataSnapshot | None" = None) -> Seed:
    """Everything that `snapshot`, or else the installed genai-prices, prices."""
    from genai_prices.data_snapshot import get_snapshot

    entries: list[SeedEntry] = []
    not_understood = []
    for provider in (snapshot or get_snapshot()).providers:
        for model in provider.models:
            if (provider.id, model.id) in LEFT_OUT:
                continue
            try:
                entries += entries_of(provider.id, model)
            except KeyError:
                not_understood.append(f"{provider.id}/{model.id}")
    return Seed(entries, not_understood)


def entries_of(provider: str, model: "ModelInfo") -> Iterator[SeedEntry]:
    """One model's entries: the standard tier, then those of `CONTEXTS` that it has."""
    edges = sorted({FAR_PAST, *_start_dates(provider, model)})
    for service_tier, context in [("standard", None), *CONTEXTS.items()]:
        pending: SeedEntry | None = None
        for edge in edges:
            values = _values_at(provider, model, edge, context)
            if pending is not None and values == pending.prices():
                continue
            if pending is not None:
                yield _ended(pending, edge)
            pending = values and SeedEntry(provider, model.id, service_tier, edge, None, **values)  # type: ignore[assignment]
        if pending is not None:
            yield pending


def _ended(entry: SeedEntry, edge: datetime) -> SeedEntry:
    return SeedEntry(**{**asdict(entry), "valid_to": edge})


def _start_dates(provider: str, model: "ModelInfo") -> Iterator[datetime]:
    from genai_prices.types import ModelPrice, StartDateConstraint

    dated: list[Any] = [*(model.price_variants or ())]
    if not isinstance(model.prices, ModelPrice):
        dated += model.prices
    has_hours = any(_is_hours(one.constraint) for one in dated)
    for one in dated:
        if isinstance(one.constraint, StartDateConstraint):
            yield datetime.combine(one.constraint.start_date, time(), UTC)
    if has_hours:
        for day in peak_days(provider):
            yield datetime.combine(day.since, time(), UTC)


def _values_at(
    provider: str, model: "ModelInfo", when: datetime, context: Mapping[str, str] | None
) -> dict[str, Any] | None:
    """The price columns that hold from `when` on; None where the book states no price."""
    base, _ = _standard_at(model, when)
    overrides: dict[str, Any] = {}
    if context is not None:
        for variant in model.price_variants or ():
            started = variant.constraint is None or (
                not _is_hours(variant.constraint) and variant.constraint.active(when)
            )
            if started and all(context.get(key) == value for key, value in variant.when.items()):
                for key, price in variant.prices.__dict__.items():
                    if price is not None:
                        overrides.setdefault(key, price)
        if not overrides:
            return None
    values = columns_of({**_stated(base), **overrides})
    if not any(values[name] is not None for name in TOKEN_PRICES.values()) and not values["units"]:
        return None
    values["hours"] = _hours(provider, model, when, overrides)
    return values


def _standard_at(model: "ModelInfo", when: datetime) -> "tuple[ModelPrice, list[ConditionalPrice]]":
    """The price outside of all daily windows, and the windows that come before it, the strongest first."""
    from genai_prices.types import ModelPrice

    if isinstance(model.prices, ModelPrice):
        return model.prices, []
    windows = []
    for price in reversed(model.prices):
        if _is_hours(price.constraint):
            windows.append(price)
        elif price.constraint is None or price.constraint.active(when):
            return price.prices, windows
    return model.prices[0].prices, windows


def _hours(provider: str, model: "ModelInfo", when: datetime, overrides: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entry's `hours`. The library cannot date a daily window, so one belongs to the model's last dated price."""
    base, windows = _standard_at(model, when)
    if not windows:
        return []
    rule = next(
        (day for day in reversed(peak_days(provider)) if datetime.combine(day.since, time(), UTC) <= when), None
    )
    is_last = base is _standard_at(model, datetime.max.replace(tzinfo=UTC) - timedelta(days=1))[0]
    dated = any(one.constraint is not None and not _is_hours(one.constraint) for one in model.prices)  # type: ignore[union-attr]
    if dated and not is_last and rule is None:
        return []
    made = []
    for window in windows:
        prices: Mapping[str, Any] = _stated(window.prices)
        if not is_last:
            prices = {key: price * peak_factor(provider) for key, price in _stated(base).items()}
        values = columns_of({**prices, **overrides})
        one: dict[str, Any] = {
            "from": f"{window.constraint.start_time:%H:%M}",  # type: ignore[union-attr]
            "to": f"{window.constraint.end_time:%H:%M}",  # type: ignore[union-attr]
        }
        if rule is not None and (one["from"], one["to"]) in rule.hours:
            one["weekdays"] = list(rule.weekdays)
            one["except"] = [day.isoformat() for day in rule.besides]
        one.update({name: _text(values[name]) for name in TOKEN_PRICES.values() if values[name] is not None})
        made.append(one)
    return made


def _is_hours(constraint: Any) -> bool:
    return hasattr(constraint, "start_time")


def _stated(price: "ModelPrice") -> dict[str, Any]:
    return {key: value for key, value in price.__dict__.items() if value is not None}


def columns_of(prices: Mapping[str, Any]) -> dict[str, Any]:
    """A library price as entry columns; long-context tiers become steps from one token above the tier's start on.

    KeyError for a key that this program does not know: a price with a part left out would be a wrong price.
    """
    values = _one_level({key: getattr(price, "base", price) for key, price in prices.items()})
    steps = []
    for start in sorted({tier.start for price in prices.values() for tier in getattr(price, "tiers", ())}):
        level = _one_level({key: _price_above(price, start) for key, price in prices.items()})
        step: dict[str, Any] = {"from_input_tokens": start + 1}
        step.update({name: _text(level[name]) for name in TOKEN_PRICES.values() if level[name] != values[name]})
        units = {name: each for name, each in level["units"].items() if each != values["units"].get(name)}
        steps.append({**step, "units": units} if units else step)
    return {**values, "steps": steps, "hours": []}


def _price_above(price: Any, start: int) -> Decimal:
    """What a tiered price is for an input of `start` + 1 tokens; a flat price is what it is."""
    level: Decimal = getattr(price, "base", price)
    for tier in getattr(price, "tiers", ()):
        if tier.start <= start:
            level = tier.price
    return level


def _one_level(prices: Mapping[str, Decimal]) -> dict[str, Any]:
    values: dict[str, Any] = dict.fromkeys(TOKEN_PRICES.values())
    units: dict[str, str] = {}
    for key, price in prices.items():
        if key in TOKEN_PRICES:
            values[TOKEN_PRICES[key]] = price.quantize(RATE_STEP, ROUND_HALF_EVEN).normalize()
            continue
        name, per = UNIT_PRICES[key]
        units[name] = _text((price / per).quantize(UNIT_STEP, ROUND_HALF_EVEN))
    return {**values, "units": units}


def _text(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def plant(price_entry: "type[Model]", entries: "Iterable[SeedEntry] | None" = None) -> int:
    """Fill an empty book; returns how many entries were written, 0 where it is seeded already.

    `price_entry` is the PriceEntry model, in a migration the one of that point in history. A newer genai-prices never
    changes a seeded book by itself: see `usage.prices.refresh`.
    """
    objects: Any = price_entry._default_manager
    if objects.filter(origin=SEED_ORIGIN).exists():
        return 0
    made = [
        price_entry(**asdict(entry), origin=SEED_ORIGIN, origin_note=package())
        for entry in (read_seed().entries if entries is None else entries)
    ]
    objects.bulk_create(made, batch_size=1000)
    return len(made)
