"""Made-up bundles and calls, for comparing ways to decide: dense, so that most conditions hold now and then."""

from datetime import UTC, datetime, timedelta

NOW = datetime(2026, 11, 23, 9, 30, 17, tzinfo=UTC)
MODELS = [("openai", "mini"), ("openai", "mid"), ("acme", "mid"), ("acme", "big"), ("other", "huge"), ("other", "tiny")]
ACTIONS = ["alert", "throttle", "downgrade", "summarize", "human_review", "require_approval", "block"]
CACHES = ["prompt", "semantic", "response", "retrieval", "embedding"]
WORKFLOWS = ["ads", "briefs", "alias", "paused", "unknown"]
RUNS = ["run-1", "run-2"]
TEXTS = {
    "stage": ["draft", "publish", "{stage}"],
    "task_type": ["generation", "extraction", "ünïcode"],
    "environment": ["production", "staging", "test"],
    "user": ["ann", "ben"],
    "user_tier": ["free", "paid"],
    "application": ["site", "app"],
    "domain": ["seo", "social"],
    "customer": ["c1", "c2"],
}
RISKS = ["sensitive", "public", "legal"]


def instant(when):
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


class Dice:
    """Choices of one `random.Random`."""

    def __init__(self, random):
        self.random = random

    def chance(self, share):
        return self.random.random() < share

    def one(self, several):
        return self.random.choice(several)

    def some(self, several, most=3):
        return self.random.sample(several, self.random.randint(1, min(most, len(several))))

    def whole(self, low, high):
        return self.random.randint(low, high)

    def maybe(self, share, make):
        return make() if self.chance(share) else None

    def near(self, spread=86400 * 40):
        return NOW + timedelta(seconds=self.one([0, -1, 1, self.whole(-spread, spread)]))

    def decimals(self, high):
        number = f"{self.random.random() * high:.{self.whole(1, 9)}f}"
        return self.one(["0", number, str(high), f"0.{self.whole(1, 9)}0"])

    def cut(self, said):
        """What is None left out."""
        return {name: value for name, value in said.items() if value is not None}

    # A bundle.

    def document(self):
        numbers = sorted(self.random.sample(range(1, 9), self.whole(0, 4))) if self.chance(0.9) else []
        tiers = [self.tier(number) for number in numbers]
        return {
            "epoch": 1,
            "revision": self.whole(1, 10**9),
            "policy_version": self.whole(0, 99),
            "audience": "tokenops",
            "fail_mode": self.one(["last_known_good", "allow", "block"]),
            "default_tier": numbers[0] if numbers else None,
            "organisation": {
                "utc_offsets": [
                    {"since": since, "minutes": self.one([0, 330, 345, -300, 60])}
                    for since in sorted(instant(self.near()) for _ in range(self.whole(0, 2)))
                ]
            },
            "tiers": tiers,
            "policy": {
                "version": 1,
                "unlisted_models": self.one(["replace", "allow", "block"]),
                "rules": [self.rule(place, numbers) for place in range(self.whole(0, 4))],
                "otherwise": self.outcome(numbers) if self.chance(0.5) else {},
                "daily_tokens": dict.fromkeys(self.some(["*", "staging", "production"]), 1000)
                if self.chance(0.4)
                else {},
            },
            "workflows": {
                slug: self.workflow(numbers, "ads" if slug == "alias" else None)
                for slug in ("ads", "briefs", "alias", "paused")
            },
            "budgets": [self.budget(place, numbers) for place in range(self.whole(0, 5))],
            "blocked": [
                {"scope": {"workflow": slug}, "code": code, "reason": "Why {not}? {", "until": None}
                for slug, code in (
                    ("paused", "workflow_paused"),
                    ("ads", "budget_exhausted"),
                    ("alias", "workflow_paused"),
                )
                if self.chance(0.3)
            ]
            + [
                {
                    "scope": {"workflow": slug, "run": run} | ({"of_a_later_version": "x"} if self.chance(0.2) else {}),
                    "code": self.one(["run_stopped", "run_stopped", "workflow_paused"]),
                    "reason": "Goes in {circles}.",
                    "until": self.maybe(0.6, lambda: instant(self.near())),
                }
                for slug in ("ads", "alias", "paused")
                for run in RUNS
                if self.chance(0.2)
            ],
            "grants": [self.grant(place, numbers) for place in range(self.whole(0, 3))],
        }

    def tier(self, number):
        return {
            "number": number,
            "name": f"Tier {number}",
            "needs_approval": self.chance(0.3),
            "review_note": "",
            "models": [self.model(*named) for named in self.some(MODELS, 4)] if self.chance(0.9) else [],
        }

    def model(self, provider, name):
        steps = [0, *sorted(self.random.sample([1, 1000, 5000, 128_000], self.whole(0, 2)))]
        prices = [0, 1, 150_000_000, 2_500_000_001, 75_000_000_000]
        return {
            "provider": provider,
            "model": name,
            "latency_ms": self.maybe(0.6, lambda: self.whole(1, 20) * 50),
            "quality": self.maybe(0.6, lambda: self.decimals(1)),
            "prices": [
                {
                    "from_input_tokens": start,
                    "input": self.maybe(0.95, lambda: self.one(prices)),
                    "output": self.maybe(0.95, lambda: self.one(prices)),
                }
                for start in steps
            ]
            if self.chance(0.85)
            else [],
        }

    def outcome(self, numbers):
        provider, model = self.one(MODELS)
        named = self.chance(0.3)
        return self.cut(
            {
                "tier": self.maybe(0.4, lambda: self.one([*numbers, 9])),
                "provider": provider if named else None,
                "model": model if named else None,
                "latency_ms": self.maybe(0.2, lambda: self.whole(1, 1000)),
                "quality": self.maybe(0.2, lambda: self.decimals(1)),
                "max_cost_nano": self.maybe(0.2, lambda: self.whole(0, 10**9)),
                "max_output_tokens": self.maybe(0.3, lambda: self.whole(1, 4000)),
                "cache": self.maybe(0.3, lambda: self.some(CACHES)),
                "batch": self.maybe(0.3, lambda: self.chance(0.5)),
                "review": self.maybe(0.3, lambda: self.chance(0.5)),
            }
        )

    def rule(self, place, numbers):
        lists = {
            name: self.some(values, 2) for name, values in TEXTS.items() if name != "customer" and self.chance(0.15)
        }
        spans = {
            "business_value": ("0.5", "3.25"),
            "complexity": ("0.3", "0.75"),
            "input_tokens": (500, 20_000),
            "estimated_cost_nano": (1000, 50_000_000),
        }
        when = {
            **lists,
            **({"workflow": self.some(WORKFLOWS)} if self.chance(0.2) else {}),
            **({"team": self.some(["content", "paid"])} if self.chance(0.15) else {}),
            **({"risk_category": self.some(RISKS)} if self.chance(0.15) else {}),
            **{
                name: dict(zip(*([("at_least", "below"), ends][:2]), strict=True))
                if self.chance(0.5)
                else {self.one(["at_least", "below"]): self.one(ends)}
                for name, ends in spans.items()
                if self.chance(0.15)
            },
            **({"time_of_day": self.hours()} if self.chance(0.25) else {}),
            **({"of_a_later_version": ["x"]} if self.chance(0.03) else {}),
        }
        return {"id": f"r{place}", "name": f"Rule {place} {{x}}", "when": when, "then": self.outcome(numbers)}

    def hours(self):
        clocks = [f"{hour:02}:{minute:02}" for hour in (0, 5, 9, 10, 15, 23) for minute in (0, 30)]
        days = self.some(list(range(1, 8)), 4)
        return {"from": self.one(clocks), "to": self.one(clocks), **({"days": days} if self.chance(0.5) else {})}

    def limits(self):
        share = 0.15
        return self.cut(
            {
                "max_output_tokens": self.maybe(share, lambda: self.whole(1, 3000)),
                "max_input_tokens": self.maybe(share, lambda: self.whole(1, 30_000)),
                "max_history_tokens": self.maybe(share, lambda: self.whole(0, 3000)),
                "max_retrieval_tokens": self.maybe(share, lambda: self.whole(0, 3000)),
                "max_retrieved_chunks": self.maybe(share, lambda: self.whole(0, 20)),
                "max_tools_exposed": self.maybe(share, lambda: self.whole(0, 20)),
                "max_run_money": self.maybe(share, lambda: self.decimals(1)),
                "max_run_tokens": self.maybe(share, lambda: self.whole(1, 10**6)),
                "max_run_steps": self.maybe(share, lambda: self.whole(1, 10)),
                "max_steps_by_kind": self.maybe(share, lambda: {"retrieve": self.whole(0, 3)}),
                "max_attempts_per_step": self.maybe(share, lambda: self.whole(1, 3)),
                "max_requests_per_minute": self.maybe(share, lambda: 60),
                "daily_tokens": self.maybe(share, lambda: {"staging": 1000}),
                "cache": self.maybe(share, self.cache),
                "human_review": self.maybe(share, lambda: self.some(RISKS)),
                "allowed_providers": self.maybe(share, lambda: self.some(["openai", "acme", "other"])),
                "allowed_models": self.maybe(share, lambda: self.some([model for _, model in MODELS], 4)),
            }
        )

    def cache(self):
        return self.cut(
            {
                "kinds": self.maybe(0.7, lambda: self.some(CACHES)),
                "similarity_floor": self.maybe(0.5, lambda: "0.92"),
                "fresh_seconds": self.maybe(0.5, lambda: 60),
            }
        )

    def workflow(self, numbers, merged_into):
        typed = {"by_task_type": {"extraction": self.limits()}} if self.chance(0.3) else {}
        return {
            "status": "production",
            "team": self.one(["content", "paid", None]),
            "default_tier": self.maybe(0.6, lambda: self.one([*numbers, 9])),
            "value_weight": self.one(["0.5", "1", "3.25", "5"]),
            "risk_categories": self.some(RISKS) if self.chance(0.4) else [],
            "guardrails": {**self.limits(), **typed},
            "paused": False,
            "snippets": [],
            "merged_into": merged_into,
        }

    def budget(self, place, numbers):
        metric = self.one(["money", "tokens", "calls"])
        action = self.one(ACTIONS)
        provider, model = self.one(MODELS)
        scope = {
            "workflow": self.one(WORKFLOWS),
            "team": self.one(["content", "paid"]),
            "environment": self.one(TEXTS["environment"]),
            "customer": self.one(TEXTS["customer"]),
            "provider": provider,
            "model": model,
            "tier": str(self.one([*numbers, 1])),
            "tag": self.one(["a=b", "a=", "x=y=z"]),
            "of_a_later_version": "x",
        }
        names = [name for name in scope if self.chance(0.02 if name == "of_a_later_version" else 0.12)]
        settings = {"downgrade": {"tier": self.one([*numbers, 1])}, "throttle": {"per_minute": self.whole(1, 60)}}
        return {
            "slug": f"b{place}",
            "name": f"Budget {place}",
            "scope": {name: scope[name] for name in names},
            "metric": metric,
            "period": self.one(["month", "fixed"]),
            "starts_at": instant(self.near() - timedelta(days=20)),
            "ends_at": instant(self.near() + timedelta(days=20)),
            "limit": self.one(["0.000000001", "0.05", "12345678.123456789", "10"])
            if metric == "money"
            else str(self.one([0, 1, 99, 2000, 10**12])),
            "limit_version": 1,
            "remaining_percent": self.whole(0, 20) * 5,
            "crossed": 0,
            "status": self.one(["under", "warning", "exhausted"]),
            "on_exhausted": action,
            "settings": settings.get(action, {}),
            "hard": self.chance(0.3),
        }

    def grant(self, place, numbers):
        scope = {"workflow": self.one(WORKFLOWS[:3]), "run": "run-1", "user": "ann", "of_a_later_version": "x"}
        shares = {"workflow": 1, "run": 0.2, "user": 0.2, "of_a_later_version": 0.03}
        return {
            "id": f"g{place}",
            "scope": {name: value for name, value in scope.items() if self.chance(shares[name])},
            "tier": self.one([*numbers, 9]),
            "starts_at": instant(self.near() - timedelta(days=10)),
            "expires_at": instant(self.near() + timedelta(days=10)),
            "remaining_percent": self.one([None, 0, 5, 100]),
            "takes_new_runs": self.chance(0.8),
            "runs": ["run-1"] if self.chance(0.5) else [],
        }

    # A call.

    def call(self):
        provider, model = self.one([*MODELS, ("nobody", "unlisted"), ("openai", "big")])
        return self.cut(
            {
                "workflow": self.maybe(0.9, lambda: self.one(WORKFLOWS)),
                "run_id": self.maybe(0.5, lambda: self.one(RUNS)),
                **{name: self.maybe(0.5, lambda values=values: self.one(values)) for name, values in TEXTS.items()},
                "step": self.maybe(0.3, lambda: self.whole(1, 12)),
                "attempt": self.maybe(0.3, lambda: self.whole(1, 4)),
                "step_kind": self.maybe(0.4, lambda: self.one(["retrieve", "plan"])),
                "operation": self.maybe(0.4, lambda: self.one(["chat", "completion", "embedding", "image"])),
                "team": self.maybe(0.3, lambda: self.one(["content", "paid"])),
                "tags": self.maybe(0.4, lambda: {"a": "b", "x": self.one(["y=z", "y"])}),
                "risk_flags": self.maybe(0.3, lambda: self.some(RISKS)),
                "model": self.maybe(0.7, lambda: model),
                "provider": self.maybe(0.6, lambda: provider),
                "tier": self.maybe(0.3, lambda: self.whole(1, 9)),
                "input_tokens": self.maybe(0.6, lambda: self.one([0, 1, self.whole(1, 40_000), 10**8])),
                "context": self.maybe(0.4, lambda: {"history": self.whole(0, 5000), "retrieval": self.whole(0, 5000)}),
                "output_tokens": self.maybe(0.5, lambda: self.whole(0, 5000)),
                "max_output_tokens": self.maybe(0.4, lambda: self.whole(1, 5000)),
                "retrieved_chunks": self.maybe(0.3, lambda: self.whole(0, 30)),
                "tools_exposed": self.maybe(0.3, lambda: self.whole(0, 30)),
                "run": self.maybe(0.4, self.run),
                "complexity": self.maybe(0.4, lambda: self.decimals(1)),
                "quality": self.maybe(0.3, lambda: self.decimals(1)),
                "latency_ms": self.maybe(0.3, lambda: self.whole(0, 1000)),
                "max_cost_nano": self.maybe(0.2, lambda: self.whole(0, 10**9)),
                "batch": self.maybe(0.4, lambda: self.chance(0.5)),
                "grant_id": self.maybe(0.3, lambda: self.one(["g0", "g1", "g9"])),
            }
        )

    def run(self):
        return self.cut(
            {
                "steps": self.maybe(0.7, lambda: self.whole(0, 12)),
                "steps_by_kind": self.maybe(0.5, lambda: {"retrieve": self.whole(0, 4)}),
                "tokens": self.maybe(0.7, lambda: self.whole(0, 10**6)),
                "cost_nano": self.maybe(0.7, lambda: self.whole(0, 10**9)),
            }
        )
