"""Cells of forecast tables."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from budgets.pages.amounts import cents, short_count
from reports.outlook.drawing import Step
from reports.outlook.past import Past

register = template.Library()


def _said(value: int, metric: str) -> str:
    return cents(value) if metric == "money" else short_count(value)


@register.simple_tag
def step_cells(step: Step, metric: str) -> SafeString:
    """Expected, likely, almost surely."""
    mean, lo80, hi80, lo95, hi95 = (_said(one, metric) for one in step.numbers)
    cell = '<td class="n">{}</td><td class="n">{} to {}</td><td class="n">{} to {}</td>'
    return format_html(cell, mean, lo80, hi80, lo95, hi95)


@register.simple_tag
def past_cells(one: Past, metric: str) -> SafeString:
    """Expected of the week, what came, how far off, whether in range."""
    off, came = one.week_off, one.week_came
    return format_html(
        '<td class="n">{}</td><td class="n">{}</td><td class="n">{}</td><td>{}</td>',
        _said(one.week[0], metric),
        "" if came is None else _said(came, metric),
        "–" if off is None else f"{off:.0%}",
        "Yes" if one.week_inside else "No",
    )
