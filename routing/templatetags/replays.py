"""Figures of a preview in templates."""

from urllib.parse import urlencode

from django import template
from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.html import format_html
from django.utils.safestring import SafeString

from budgets.pages.amounts import cents
from routing.replay import words
from routing.replay.result import Tally
from routing.replay.showing import Row

register = template.Library()


@register.filter
def spent(tally: Tally) -> SafeString:
    """What the calls cost, with how many have no known cost: never $0 for what is not known."""
    unknown = tally.unpriced + tally.unmeasured
    if not unknown or not words.known(tally):
        return SafeString(words.money(tally))
    calls = f"{intcomma(unknown)} call{'' if unknown == 1 else 's'}"
    return format_html('{}<span class="m">and {} of unknown cost</span>', words.money(tally), calls)


@register.filter
def known_cents(cost: int | None) -> str:
    """An amount, or that it is not known."""
    return "cost not known" if cost is None else cents(cost)


@register.simple_tag
def behind(calls_url: str, row: Row, figure: str, label: str) -> SafeString:
    """A cell with one of a workflow's figures by the draft, which leads to its calls."""
    number = row.sides.changed if figure == words.CHANGED else getattr(row.sides.draft, figure)
    if not number:
        return format_html('<td role="cell" class="n" data-label="{}">0</td>', label)
    query = urlencode({"figure": figure, "workflow": row.key})
    return format_html(
        '<td role="cell" class="n" data-label="{}"><a href="{}?{}">{}<span class="vh"> calls of {}, {}</span></a></td>',
        label, calls_url, query, intcomma(number), row.name, label,
    )  # fmt: skip
