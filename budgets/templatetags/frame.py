"""What the page frame needs to know of the request: the chosen theme, and whether this is demo data."""

from dataclasses import dataclass
from typing import Any

from django import template
from django.template.context import Context
from django.urls import NoReverseMatch, reverse

from budgets.models import Organisation

register = template.Library()

# Key (what a page puts into `here` or `tab`), words, icon; the address is named like the key unless a fourth says else.
MAIN = (
    ("overview", "Overview", "home"),
    ("budgets", "Budgets", "wallet"),
    ("plan", "Plan", "chart"),
    ("calendar", "Calendar", "cal"),
)
SET_UP = (
    ("workflows", "Workflows", "flow"),
    ("data-health", "Data health", "pulse"),
    ("history", "History", "list"),
    ("settings", "Settings", "gear"),
    ("reference", "Send usage", "code", "api-reference"),
)
SETTINGS = (
    ("organisation", "Organisation", "", "settings"),
    ("teams", "Teams", ""),
    ("keys", "Keys", ""),
    ("prices", "Prices", ""),
    ("costs", "Other costs", ""),
    ("rates", "Currency rates", ""),
    ("imports", "Imports", ""),
)


@dataclass(frozen=True)
class Place:
    """A link of the menu. `icon` is a symbol's id."""

    key: str
    label: str
    icon: str
    url: str


def places(of: tuple[tuple[str, ...], ...]) -> list[Place]:
    """Those that this installation has an address for: floors above may be missing in a test."""
    found = []
    for key, label, icon, *named in of:
        try:
            found.append(Place(key, label, icon, reverse(named[0] if named else key)))
        except NoReverseMatch:
            continue
    return found


@register.simple_tag
def main_places() -> list[Place]:
    """What people look at."""
    return places(MAIN)


@register.simple_tag
def set_up_places() -> list[Place]:
    """What is set up once and looked after."""
    return places(SET_UP)


@register.inclusion_tag("pages/settings_tabs.html")
def settings_tabs(tab: str) -> dict[str, Any]:
    """The row of links on every page of the settings; `tab` is where we are."""
    return {"settings_places": places(SETTINGS), "tab": tab}


@register.simple_tag(takes_context=True)
def site_frame(context: Context) -> dict[str, Any]:
    """`theme` ("light", "dark" or "" for the system's), `demo`, and `setting_up` until the set-up list is put away.

    Works without a request and without the database for people who are not signed in: error pages use it.
    """
    request = context.get("request")
    if request is None:
        return {"theme": "", "demo": False, "setting_up": False}
    theme = request.COOKIES.get("theme", "")
    organisation = context.get("organisation") or getattr(request, "frame_organisation", None)
    if organisation is None and getattr(getattr(request, "user", None), "is_authenticated", False):
        organisation = request.frame_organisation = Organisation.get()
    demo = bool(organisation and organisation.is_demo)
    return {
        "theme": theme if theme in {"light", "dark"} else "",
        "demo": demo,
        "setting_up": bool(organisation and not demo and not organisation.setup.get("finished")),
    }


@register.filter
def initials(name: str) -> str:
    """Two letters for the round badge: of two words, or the first two."""
    words = name.replace(".", " ").replace("_", " ").split()
    return ("".join(word[0] for word in words[:2]) if len(words) > 1 else name[:2]).upper()
