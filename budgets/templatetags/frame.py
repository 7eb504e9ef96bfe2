"""What the page frame needs to know of the request: the chosen theme, and whether this is demo data."""

from dataclasses import dataclass
from typing import Any

from django import template
from django.template.context import Context
from django.urls import NoReverseMatch, reverse

from budgets.access.roles import VIEW, reach
from budgets.models import Organisation

register = template.Library()

# Key (what a page puts into `here` or `tab`), words, icon; the address is named like the key unless a fourth says else.
MAIN = (
    ("overview", "Overview", "home"),
    ("approvals", "Approvals", "inbox"),
    ("alerts", "Alerts", "bell"),
    ("budgets", "Budgets", "wallet"),
    ("spend", "Spend", "chart"),
    ("figures", "Figures", "list"),
    ("forecast", "Forecast", "chart"),
    ("unusual", "Unusual spend", "pulse"),
    ("savings", "Savings", "wallet"),
    ("plan", "Plan", "chart"),
    ("calendar", "Calendar", "cal"),
)
SET_UP = (
    ("workflows", "Workflows", "flow"),
    ("policy", "Model tiers", "layers"),
    ("outcomes", "Outcomes", "inbox"),
    ("data-health", "Data health", "pulse"),
    ("history", "History", "list"),
    ("settings", "Settings", "gear"),
    ("reference", "Send usage", "code", "api-reference"),
)
SETTINGS = (
    ("organisation", "Organisation", "", "settings"),
    ("teams", "Teams", ""),
    ("people", "People", ""),
    ("keys", "Keys", ""),
    ("prices", "Prices", ""),
    ("costs", "Other costs", ""),
    ("rates", "Currency rates", ""),
    ("imports", "Imports", ""),
    ("chargeback", "Chargeback", ""),
    ("focus", "FOCUS export", ""),
    ("mailed-reports", "Reports by mail", ""),
    ("approval-rules", "Who approves", ""),
    ("channels", "Channels", ""),
    ("deliveries", "Deliveries", ""),
)


# Pages that show only what is in reach; every other one is for people whom no team narrows.
IN_REACH = {
    "figures",
    "savings",
    "budgets",
    "plan",
    "calendar",
    "workflows",
    "approvals",
    "alerts",
    "reference",
    "chargeback",
    "spend",
    "unusual",
}
# Settings that are only for those with this right.
NEEDS = {
    "people": "budgets.change_people",
    "keys": "budgets.change_apikey",
    "channels": "budgets.change_channel",
    "deliveries": "budgets.change_channel",
}


@dataclass(frozen=True)
class Place:
    """A link of the menu. `icon` is a symbol's id."""

    key: str
    label: str
    icon: str
    url: str


def places(of: tuple[tuple[str, ...], ...], user: Any) -> list[Place]:
    """Those that `user` can open, and that this installation has an address for: floors may be missing in a test."""
    reached, found = reach(user, VIEW), []
    for key, label, icon, *named in of:
        if not (reached.everything or (reached and key in IN_REACH)):
            continue
        if key in NEEDS and not reach(user, NEEDS[key]).everything:
            continue
        try:
            found.append(Place(key, label, icon, reverse(named[0] if named else key)))
        except NoReverseMatch:
            continue
    return found


def user_of(context: Context) -> Any:
    """Who looks at the page; None on error pages that have no request."""
    return getattr(context.get("request"), "user", None)


@register.simple_tag(takes_context=True)
def main_places(context: Context) -> list[Place]:
    """What people look at."""
    return places(MAIN, user_of(context))


@register.simple_tag(takes_context=True)
def set_up_places(context: Context) -> list[Place]:
    """What is set up once and looked after."""
    return places(SET_UP, user_of(context))


@register.inclusion_tag("pages/settings_tabs.html", takes_context=True)
def settings_tabs(context: Context, tab: str) -> dict[str, Any]:
    """The row of links on every page of the settings; `tab` is where we are."""
    return {"settings_places": places(SETTINGS, user_of(context)), "tab": tab}


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
        "setting_up": bool(
            organisation
            and not demo
            and not organisation.setup.get("finished")
            and reach(user_of(context), VIEW).everything
        ),
    }


@register.simple_tag(takes_context=True)
def everywhere(context: Context, permission: str) -> bool:
    """Whether who looks at the page has `permission` for the whole company, not only for a team."""
    return reach(user_of(context), permission).everything


@register.filter
def initials(name: str) -> str:
    """Two letters for the round badge: of two words, or the first two."""
    words = name.replace(".", " ").replace("_", " ").split()
    return ("".join(word[0] for word in words[:2]) if len(words) > 1 else name[:2]).upper()
