"""Small things that pages of savings, what-if and audits say."""

from collections.abc import Mapping

from django import template

register = template.Library()


@register.filter
def magnitude(value: int) -> int:
    """The amount without its sign, for "12 more" and "12 less"."""
    return abs(value)


@register.filter
def of(names: Mapping[str, str], slug: str) -> str:
    """The name of what has this short name; the short name where nothing has it."""
    return names.get(slug, slug)
