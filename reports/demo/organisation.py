"""Who is in the simulated organisation: teams, people, workflows, budgets, after the design's Overview. Pure data."""

from dataclasses import dataclass
from typing import Any, Final

NAME: Final = "Northwind Marketing (demo)"
TIME_ZONE: Final = "Europe/Berlin"
SOURCE: Final = "demo-gateway"
WATCHED: Final = "trend-alerts"  # the workflow whose small budget live traffic runs out


@dataclass(frozen=True)
class Person:
    username: str
    first_name: str
    last_name: str


@dataclass(frozen=True)
class DemoTeam:
    slug: str
    name: str
    cost_centre: str


@dataclass(frozen=True)
class DemoWorkflow:
    """`users` sends its calls through `application`."""

    slug: str
    name: str
    team: str
    owner: str
    application: str
    users: tuple[str, ...]
    default_tier: int
    value_weight: str = "1"
    risk_categories: tuple[str, ...] = ()


@dataclass(frozen=True)
class DemoBudget:
    """`amount` in whole dollars."""

    slug: str
    name: str
    scope: dict[str, str]
    amount: int
    on_exhausted: str
    owner: str
    period: str = "month"
    thresholds: tuple[int, ...] = (50, 80, 100)
    pace: str = "working_days"
    settings: dict[str, int] | None = None


# Generous enough that the simulated runs keep within them; production needs them.
LIMITS: Final = {"max_output_tokens": 8_000, "max_run_money": "25", "max_run_steps": 40}

PEOPLE: Final = (
    Person("lena", "Lena", "Kraus"),
    Person("marco", "Marco", "Díaz"),
    Person("ana", "Ana", "Petrova"),
    Person("tom", "Tom", "Okafor"),
    Person("priya", "Priya", "Nair"),
    Person("ines", "Inès", "Laurent"),
    Person("jonas", "Jonas", "Berg"),
)

TEAMS: Final = (
    DemoTeam("performance", "Performance", "MK-100"),
    DemoTeam("content", "Content", "MK-200"),
    DemoTeam("support", "Support", "CS-100"),
    DemoTeam("brand", "Brand", "MK-300"),
    DemoTeam("insights", "Insights", "MK-400"),
)

WORKFLOWS: Final = (
    DemoWorkflow(
        "ad-copy-variations", "Ad copy variations", "performance", "marco", "copydesk",
        ("marco", "yuki", "sofia", "daniel"), 2, "1.5", ("legal",),
    ),
    DemoWorkflow(
        "translation", "Translation", "content", "ana", "translate-hub", ("ana", "pierre", "giulia"), 2,
    ),
    DemoWorkflow(
        "customer-reply-assistant", "Customer reply assistant", "support", "tom", "helpdesk",
        ("tom", "amira", "kofi", "lea", "noor"), 2, "2", ("personal_data",),
    ),
    DemoWorkflow(
        "campaign-briefs", "Campaign briefs", "brand", "priya", "briefing-agent", ("priya", "henrik"), 2, "2",
    ),
    DemoWorkflow(
        "blog-and-seo-drafts", "Blog and SEO drafts", "content", "ines", "blog-studio", ("ines", "oskar", "mei"), 2,
    ),
    DemoWorkflow(
        "social-listening-digest", "Social listening digest", "insights", "jonas", "listening-cron",
        ("jonas",), 1, "0.5",
    ),
    DemoWorkflow(WATCHED, "Trend alerts", "insights", "jonas", "trend-watch", ("jonas", "vera"), 2, "0.5"),
)  # fmt: skip


def of_workflow(slug: str, amount: int, on_exhausted: str, owner: str, **changes: Any) -> DemoBudget:
    """A monthly budget of one workflow, named like it."""
    return DemoBudget(slug, workflow(slug).name, {"workflow": slug}, amount, on_exhausted, owner, **changes)


def workflow(slug: str) -> DemoWorkflow:
    return next(one for one in WORKFLOWS if one.slug == slug)


BUDGETS: Final = (
    DemoBudget(
        "northwind-marketing", "All of Northwind Marketing", {}, 30_000, "alert", "lena", thresholds=(50, 80, 90, 100)
    ),
    of_workflow("ad-copy-variations", 8_000, "require_approval", "marco"),
    of_workflow("translation", 3_000, "downgrade", "ana", settings={"tier": 1}),
    of_workflow("customer-reply-assistant", 5_500, "alert", "tom", pace="even"),
    of_workflow("campaign-briefs", 4_000, "human_review", "priya"),
    of_workflow("blog-and-seo-drafts", 6_000, "summarize", "ines"),
    of_workflow("social-listening-digest", 3_500, "throttle", "jonas", pace="even", settings={"per_minute": 30}),
    DemoBudget("content-pool", "Content team", {"team": "content"}, 10_000, "alert", "ana"),
)

# Set up by live traffic, with an amount that it reaches in about a minute; each day again.
WATCHED_BUDGET: Final = DemoBudget(
    "trend-alerts-daily", "Trend alerts, each day", {"workflow": WATCHED}, 1, "block", "jonas", "day", pace="even"
)

UNCLAIMED: Final = "event-badge-texts"
LOCALES: Final = ("de-DE", "fr-FR", "it-IT", "es-ES", "pl-PL", "nl-NL", "sv-SE")
BRANDS: Final = ("northwind", "northwind-kids", "northwind-outlet")

# The campaign that runs now is the season's.
SEASONS: Final = (
    "new-year", "winter-sale", "spring-launch", "easter", "early-summer", "summer-launch",
    "summer-sale", "back-to-school", "autumn-launch", "autumn-sale", "black-friday", "holiday",
)  # fmt: skip
EVERGREEN: Final = "always-on"
