"""A Django form's fields as the house draws them: label, control, the error tied to it, a hint."""

from django import forms, template
from django.forms import BoundField
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.inclusion_tag("pages/field.html")
def field(bound: BoundField) -> dict[str, object]:
    """One field with all that belongs to it. Check boxes and radios get a group; the first wrong field gets focus."""
    widget = bound.field.widget
    choices = isinstance(widget, forms.RadioSelect | forms.CheckboxSelectMultiple)
    name = bound.html_name
    described = f"{name}-err {name}-hint" if bound.help_text else f"{name}-err"
    attributes: dict[str, str | bool] = {"class": "" if choices or isinstance(widget, forms.CheckboxInput) else "in"}
    attributes["aria-describedby"] = described
    if bound.errors:
        attributes["aria-invalid"] = "true"
        if name == next(iter(bound.form.errors), ""):
            attributes["autofocus"] = "autofocus"
    return {
        "bound": bound,
        "control": bound.as_widget(attrs=attributes),
        "is_group": choices,
        "is_box": isinstance(widget, forms.CheckboxInput),
        "is_hidden": bound.is_hidden,
    }


@register.simple_tag
def form_summary(form: forms.Form, what: str = "") -> SafeString:
    """Above a form that was refused: how many fields need a change, and what belongs to no field.

    `what` is what the form saves, such as "price".
    """
    if not form.errors:
        return SafeString("")
    others = form.non_field_errors()
    count = len(form.errors) - bool(others)
    words = " ".join(map(str, others))
    if count:
        saved = f"The {what} was not saved." if what else "Nothing was saved."
        words += f" {saved} {count} field{' needs' if count == 1 else 's need'} a change."
    return format_html(
        '<div class="alert summary" role="alert"><svg class="i" aria-hidden="true"><use href="#over"/></svg>'
        "<p>{}</p></div>",
        words.strip(),
    )
