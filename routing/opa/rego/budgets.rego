# What budgets make of it: how far down the call goes, and what those say that it falls under there.
#
# A level is a tier's number; 0 stands for no tier. From each level the budgets met there may send the call to a lower
# one, never up, so that the way from where it starts can be read off a graph.
package tokenops.budgets

import rego.v1

import data.tokenops.call
import data.tokenops.models
import data.tokenops.rules
import data.tokenops.tiers

start := tiers.start if tiers.start != null

else := 0

levels := {start} | {number | some number in models.numbers}

tier_of(0) := null

tier_of(level) := level if level > 0

as_asked_at(level) if {
	level == 0
	tiers.as_asked
}

chosen_at := {level: models.chosen(tier_of(level)) | some level in levels}

cost_at(level) := null if chosen_at[level] == null

else := models.cost(chosen_at[level], rules.output)

# What a call falls under, whatever serves it.

usual := {
	"workflow": call.slug,
	"team": call.team,
	"environment": call.environment,
	"user": call.text("user"),
	"application": call.text("application"),
	"customer": call.text("customer"),
}

in_scope := [budget |
	some budget in data.tokenops.bundle.budgets

	# Most budgets of a large bundle fall out here; the rest is looked at dimension by dimension.
	object.get(budget.scope, "workflow", call.slug) == call.slug
	object.get(budget.scope, "team", call.team) == call.team
	budget.starts_at <= call.now
	call.now < budget.ends_at
	every name, value in object.remove(budget.scope, ["provider", "model", "tier"]) {
		holds(name, value)
	}
]

# A dimension of a later version never holds: nobody can say that the call falls under it.
holds(name, value) if usual[name] == value

holds("tag", pair) if {
	at := indexof(pair, "=")
	object.get(call.said("tags", {}), substring(pair, 0, at), "") == substring(pair, at + 1, -1)
}

served_by(level) := {"provider": model.provider, "model": model.model, "tier": tier_text(level)} if {
	model := chosen_at[level]
	model != null
} else := {"provider": models.asked_provider, "model": models.asked_model, "tier": ""} if {
	as_asked_at(level)
} else := {"provider": "", "model": "", "tier": tier_text(level)}

tier_text(0) := ""

tier_text(level) := format_int(level, 10) if level > 0

under := {level: [budget |
	some budget in in_scope
	every name, value in object.filter(budget.scope, ["provider", "model", "tier"]) {
		facts[name] == value
	}
] |
	some level in levels
	facts := served_by(level)
}

# Used up, or with less left than the call may use.

met := {level: [budget | some budget in under[level]; is_met(budget, level)] | some level in levels}

is_met(budget, _) if budget.status == "exhausted"

is_met(budget, level) if {
	budget.status != "exhausted"
	need := needed(budget.metric, level)
	need != null
	need > can_be_left(budget)
}

needed("calls", _) := 1

needed("tokens", _) := call.input_tokens + rules.output if call.input_tokens != null

needed("money", level) := cost_at(level)

# Remaining amounts are told rounded down to a step of 5 percent. Dollars and what follows the point are taken apart, so
# that no product outgrows what numbers hold.
can_be_left(budget) := (call.natural(parts[0]) * (percent(budget) * 10000000)) + call.quotient(call.nano_part(parts) * percent(budget), 100) if {
	budget.metric == "money"
	parts := split(budget.limit, ".")
}

can_be_left(budget) := call.quotient(call.natural(budget.limit) * percent(budget), 100) if budget.metric != "money"

percent(budget) := call.least([100, budget.remaining_percent + 5])

# The way down.

lower := {level: [budget |
	some budget in met[level]
	budget.on_exhausted == "downgrade"
	is_lower(budget.settings.tier, level)
] |
	some level in levels
}

# A text model of no tier stands above every tier; what makes no text cannot be served by another tier.
is_lower(tier, level) if {
	models.by_number[tier]
	level > 0
	tier < level
}

is_lower(tier, 0) if {
	models.by_number[tier]
	call.makes_text
}

next := {level: {call.least([budget.settings.tier | some budget in lower[level]])} |
	some level in levels
	count(lower[level]) > 0
}

ways := {level: object.get(next, level, set()) | some level in levels}

passed := graph.reachable(ways, {start})

# From above to below; where the call starts comes first, also where that is no tier.
path := array.concat([start], [at |
	some place in numbers.range(1, count(passed))
	some at in passed
	at != start
	count([other | some other in passed; other != start; other > at]) == place - 1
])

level := path[count(path) - 1]

tier := tier_of(level)

model := chosen_at[level]

cost := cost_at(level)

as_asked if as_asked_at(level)

# What is said of them: on the way, then where it ends.

sent_down := [budget | some at in path; some budget in lower[at]]

told := {budget.slug | some budget in sent_down}

obeyed := [budget | some budget in met[level]; not budget.slug in told]

# The allowance that is at hand there.
at_hand := tiers.grant if tiers.grant != null

else := tiers.allowance(tier) if {
	tier != null
	some budget in obeyed
	budget.on_exhausted == "require_approval"
}

else := null

covered if {
	at_hand != null
	tier != null
	some budget in obeyed
	budget.on_exhausted == "require_approval"
}

findings := array.concat(
	[{"budget": budget, "action": "downgrade"} | some budget in sent_down],
	[{"budget": budget, "action": action_of(budget)} | some budget in obeyed],
)

# Low enough already, only told of, or allowed by somebody.
action_of(budget) := "allow" if budget.on_exhausted in {"downgrade", "alert"}

else := "allow" if {
	budget.on_exhausted == "require_approval"
	covered
}

else := budget.on_exhausted

reasons := [call.reason(code(one.budget), one.action, {"budget": one.budget.slug, "name": one.budget.name}) |
	some one in findings
]

code(budget) := "budget_exhausted" if budget.status == "exhausted"

else := "budget_too_small"

changes := [change | some one in findings; some change in changes_of(one.budget, one.action)]

changes_of(_, "allow") := []

changes_of(budget, action) := array.concat(
	[{"kind": "grant", "tier": tier} | action == "require_approval"; tier != null],
	array.concat(
		[{"kind": "reset", "at": budget.ends_at} | budget.status == "exhausted"; budget.period != "fixed"],
		[{"kind": "budget", "budget": budget.slug}],
	),
) if {
	action != "allow"
}

per_minute := call.least([object.get(budget.settings, "per_minute", null) |
	some budget in obeyed
	budget.on_exhausted == "throttle"
])
