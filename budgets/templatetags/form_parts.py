"""The attributes and the message line of a form field, tied together for people who do not see them."""

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from budgets.pages.forms import BudgetForm

register = template.Library()


@register.simple_tag
def field_state(form: BudgetForm, name: str, hint: str = "") -> SafeString:
    """What makes an input say that it is wrong, and have itself checked while it is typed in."""
    invalid = name in form.errors
    first = invalid and name == next(iter(form.errors))
    described = f"{name}-err {hint}".strip()
    return format_html(
        'aria-describedby="{}"{}{} hx-post="{}?field={}" hx-trigger="change, input changed delay:400ms" '
        'hx-target="#{}-err" hx-swap="outerHTML" hx-sync="this:queue last"',
        described,
        SafeString(' aria-invalid="true"') if invalid else "",
        SafeString(" autofocus") if first else "",
        reverse("budget-check"),
        name,
        name,
    )


@register.simple_tag
def field_error(form: BudgetForm, name: str) -> SafeString:
    """The message line under a field; empty and unseen while nothing is wrong."""
    if name not in form.errors:
        return format_html('<p class="err" id="{}-err"></p>', name)
    return format_html(
        '<p class="err" id="{}-err"><svg class="i" aria-hidden="true"><use href="#over"/></svg>{}</p>',
        name,
        form.errors[name],
    )
