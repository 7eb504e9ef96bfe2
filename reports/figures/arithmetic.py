"""Every figure from its sums, each defined here and nowhere else. Pure: no Django, no models.

A figure is a Fraction, so that nothing is rounded before it is shown; money in nano-dollars. None is "cannot be said",
and `why` says why, under the figure's name. Nothing unknown is ever 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction

from reports.figures.sums import CACHES, Read, Used, Went, added
from usage.prices.known import known_cost
from usage.rollups.sums import LAYERS

NANO = 1_000_000_000
NO_PRICE = "none of these calls has a price yet"
LEAST_GROWTH = Fraction(1, 20)  # of usage, below which a growth of cost for each growth of usage says nothing
Number = int | Decimal | Fraction
Said = Fraction | None


@dataclass(frozen=True)
class Figures:
    """All figures of a scope and a window. `cache_hits` by kind of cache, `context` by layer of the input.

    Shares are parts of one; `…_per_…` of money are nano-dollars; `value_per_dollar` is dollars for a dollar.
    """

    cost: int | None = None
    calls: int | None = None
    runs: int | None = None
    cost_per_approved: Said = None
    tokens_per_shipped: Said = None
    cost_per_completed: Said = None
    cost_per_user: Said = None
    cost_per_customer: Said = None
    cost_per_application: Said = None
    cost_per_team: Said = None
    escalation_rate: Said = None
    premium_share: Said = None
    input_to_output: Said = None
    elasticity: Said = None
    cache_hits: Mapping[str, Said] = field(default_factory=dict)
    cached_input_share: Said = None
    saved: Said = None
    retry_rate: Said = None
    steps_per_run: Said = None
    loop_rate: Said = None
    anomaly_rate: Said = None
    context: Mapping[str, Said] = field(default_factory=dict)
    rework_rate: Said = None
    misrouted_share: Said = None
    review_minutes: Said = None
    satisfaction: Said = None
    value_per_dollar: Said = None
    minutes_saved_per_dollar: Said = None
    cost_per_case: Said = None
    priced_share: Said = None
    claimed_share: Said = None
    run_share: Said = None
    outcome_share: Said = None
    why: Mapping[str, str] = field(default_factory=dict)

    def value(self, name: str) -> Said:
        """By name; those of caches and layers are called "cache_hits.prompt", "context.system"."""
        of, _, key = name.partition(".")
        found = getattr(self, of)
        value = found.get(key) if key else found
        return None if value is None else Fraction(value)

    def grown(self, done: "Figures | None") -> "Figures":
        """The same with the growth of its complete days."""
        if done is None:
            return self
        why = {name: said for name, said in self.why.items() if name != "elasticity"}
        more = {"elasticity": done.why["elasticity"]} if "elasticity" in done.why else {}
        return replace(self, elasticity=done.elasticity, why=why | more)


class _Saying:
    """Figures as they are found, and why others cannot be said."""

    def __init__(self) -> None:
        self.found: dict[str, Said] = {}
        self.why: dict[str, str] = {}

    def put(self, name: str, part: Number | None, whole: Number | None = 1, why: str = "") -> None:
        """`part` / `whole`; where that cannot be, `why`."""
        if part is None or whole is None or whole <= 0:
            self.found[name], self.why[name] = None, why
        else:
            self.found[name] = Fraction(part) / Fraction(whole)

    def put_each(self, name: str, cost: int | None, many: int, why: str) -> None:
        """`cost` for each of `many`; None of them has a price where that is None."""
        self.put(name, cost, many, NO_PRICE if cost is None and many > 0 else why)


def cost_of_runs(went: Went, used: Used) -> int | None:
    """What runs cost; None where that is nothing and calls of the same scope, `used`, have no price."""
    return None if not went.spent and used.unpriced + used.unmeasured > 0 else went.spent


def compute(read: Read, before: Read | None = None) -> Figures:
    """The figures of what was read; `before`: the same of the days that growth is measured from."""
    said = _Saying()
    _of_spend(said, read)
    _of_caches(said, read)
    _of_runs(said, read)
    _of_value(said, read)
    _of_coverage(said, read)
    _of_growth(said, read, before)
    plain = {name: value for name, value in said.found.items() if "." not in name}
    return Figures(
        **plain,
        cost=known_cost(read.total) if read.total else None,
        calls=read.total.calls if read.total else None,
        runs=read.went_in_all.runs if read.went_in_all else None,
        cache_hits={kind: said.found[f"cache_hits.{kind}"] for kind in CACHES},
        context={layer: said.found[f"context.{layer}"] for layer in LAYERS},
        why=said.why,
    )


def _of_spend(said: _Saying, read: Read) -> None:
    used, nothing = read.total or Used(), read.missing.get("used", "there were no calls")
    no_tier = nothing if not used.calls else "no call says which tier its model is of"
    said.put("escalation_rate", used.escalated, used.calls if used.tiered_calls else 0, no_tier)
    no_cost = no_tier if not used.tiered_calls else "nothing has a cost"
    said.put("premium_share", used.premium_cost, used.cost if used.tiered_calls else 0, no_cost)
    no_output = nothing if not used.calls else "no call says how much it put out"
    said.put("input_to_output", used.input_tokens, used.output_tokens, no_output)
    said.put("retry_rate", used.retries, used.calls, nothing)
    of_teams = [one for team, one in read.teams.items() if team and (one.calls or one.cost)]
    why = nothing if not used.calls else "no call is of a team’s workflow or names a team"
    said.put_each("cost_per_team", known_cost(added(of_teams, Used())), len(of_teams), why)
    for name in ("user", "customer", "application"):
        wide = (read.wide or {}).get(name)
        why = read.missing.get("wide", "") or nothing if not used.calls else f"no call names its {name}"
        if "wide" in read.missing:
            why = read.missing["wide"]
        said.put_each(f"cost_per_{name}", wide.cost if wide else None, wide.values if wide else 0, why)


def _of_caches(said: _Saying, read: Read) -> None:
    made, missing = read.made_in_all, read.missing.get("made", "")
    used_any = any(cache != "none" and one.calls > 0 for (_, cache), one in (read.made or {}).items())
    for kind in CACHES:
        allowed = {pk for pk, one in read.named.items() if kind in one.caches}
        rows = [(cache, one.calls) for (flow, cache), one in (read.made or {}).items() if flow in allowed]
        why = missing or ("no call names the cache that served it" if not used_any else "no workflow may use this one")
        hits = sum(calls for cache, calls in rows if cache == kind)
        said.put(f"cache_hits.{kind}", hits, sum(calls for _, calls in rows) if used_any else 0, why)
    cached = made.cached_input_tokens if made else 0
    input_tokens = read.total.input_tokens if read.total and made else 0
    why = missing or read.missing.get("used", "") or "no call says that input came from a cache"
    said.put("cached_input_share", cached, input_tokens if cached else 0, why)
    why = missing or "no call says that a cache spared anything"
    if made and (cached or made.avoided_tokens) and not made.saved:
        why = "no price says what a cache spares"
    said.put("saved", made.saved if made and made.saved else None, 1, why)
    for layer in LAYERS:
        why = missing or "no call says what its input was made of"
        said.put(f"context.{layer}", made.layer(layer) if made else None, made.context_input if made else None, why)


def _of_runs(said: _Saying, read: Read) -> None:
    went, missing = read.went_in_all or Went(), read.missing.get("went", "")
    no_runs = missing or "no call names its run"
    no_outcome = no_runs if not went.runs else "no run has an outcome yet"
    cost = cost_of_runs(went, read.total or Used())
    why = no_outcome if not went.judged else "no run was approved or shipped"
    said.put_each("cost_per_approved", cost, went.approved, why)
    why = no_outcome if not went.judged else "no run was completed, approved or shipped"
    said.put_each("cost_per_completed", cost, went.completed, why)
    why = no_outcome if not went.judged else "no run was shipped"
    tokens = sum(used.tokens for used in read.workflows.values() if used.calls_in_runs > 0)
    if read.total is None:
        why, tokens = read.missing.get("used", why), 0
    said.put("tokens_per_shipped", tokens, went.shipped if read.total else 0, why)
    stepped = went.runs - (went.seen - went.stepped)
    no_steps = no_runs if not went.runs else "no run says its steps"
    said.put("steps_per_run", went.steps, stepped if went.steps else 0, no_steps)
    no_cap = no_steps if not went.stepped else "no workflow that ran has a limit of steps"
    said.put("loop_rate", went.over, went.capped if went.stepped else 0, no_cap)
    no_findings = read.missing.get("findings") or no_runs
    said.put("anomaly_rate", None if read.findings is None else read.findings * 1000, went.runs, no_findings)
    no_review = no_outcome if not went.judged else "nobody reviewed a run"
    said.put("rework_rate", went.reworked, went.reviewed, no_review)
    no_way = no_outcome if not went.judged else "no outcome states whether a run went the wrong way"
    said.put("misrouted_share", went.misrouted, went.judged if went.routed or went.misrouted else 0, no_way)
    said.put("review_minutes", went.review_minutes, went.timed, "no review says how long it took")
    said.put("satisfaction", went.satisfaction, went.scored, no_outcome if not went.judged else "no run has a score")


def _of_value(said: _Saying, read: Read) -> None:
    went, missing = read.went_in_all or Went(), read.missing.get("went", "")
    no_value = missing or "no outcome states that {}"
    revenue, minutes = went.shipped_revenue or None, went.minutes_saved or None
    why = no_value.format("a run brought anything in")
    if went.revenue and not revenue:
        why = "no run that was shipped states what it brought in"
    cost = cost_of_runs(went, read.total or Used())
    no_cost = NO_PRICE if cost is None else "these runs cost nothing"
    said.put("value_per_dollar", revenue, cost, no_cost if revenue else why)
    each = None if minutes is None else minutes * NANO
    said.put("minutes_saved_per_dollar", each, cost, no_cost if minutes else no_value.format("a run saved time"))
    said.put_each("cost_per_case", cost, went.cases, no_value.format("a case was resolved"))


def _of_coverage(said: _Saying, read: Read) -> None:
    used, went = read.total or Used(), read.went_in_all or Went()
    nothing = read.missing.get("used", "there were no calls")
    without = sum(max(0, one.unpriced) for one in read.models.values())
    no_measure = nothing if not used.calls else "no call says how much it used"
    said.put("priced_share", used.measured - without, used.measured, no_measure)
    no_cost = nothing if not used.calls else "nothing has a cost"
    said.put("claimed_share", used.cost - used.unclaimed_cost, used.cost, no_cost)
    said.put("run_share", used.cost_in_runs, used.cost, no_cost)
    why = read.missing.get("went", "") or "no call names its run"
    said.put("outcome_share", went.judged_cost, went.cost, why)


def _of_growth(said: _Saying, read: Read, before: Read | None) -> None:
    if before is None or before.total is None or read.total is None:
        said.put("elasticity", None, why="there are no days to compare with")
        return
    runs = read.went_in_all, before.went_in_all
    found, why = elasticity(
        read.total, before.total, runs[0].runs if runs[0] else None, runs[1].runs if runs[1] else None
    )
    said.put("elasticity", found, why=why)


def elasticity(now: Used, then: Used, runs_now: int | None, runs_then: int | None) -> tuple[Said, str]:
    """Growth of cost / growth of usage, or why it cannot be said.

    Usage is runs where every call of both windows names its run, else calls: ten times the usage for less than ten
    times the cost is below 1.
    """
    by_runs = bool(runs_now and runs_then) and now.calls_in_runs == now.calls and then.calls_in_runs == then.calls
    use_now, use_then = (runs_now or 0, runs_then or 0) if by_runs else (now.calls, then.calls)
    if use_then <= 0 or then.cost <= 0:
        return None, "nothing was used in the days compared with"
    growth = Fraction(use_now - use_then, use_then)
    if abs(growth) < LEAST_GROWTH:
        return None, "use changed by less than 5%, too little to tell"
    return Fraction(now.cost - then.cost, then.cost) / growth, ""
