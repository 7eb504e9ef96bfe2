# The first rule that fits, what it gives, and the longest answer.
package tokenops.rules

import rego.v1

import data.tokenops.call

policy := data.tokenops.bundle.policy

fitting := [rule | some rule in policy.rules; fits(rule)]

outcome := object.get(fitting[0], "then", {}) if count(fitting) > 0

else := policy.otherwise

gives(name) := object.get(outcome, name, null)

# Of a rule: the policy's own comes after the workflow's.
tier := gives("tier") if count(fitting) > 0

else := null

reasons := array.concat(
	[call.reason("rule", "allow", {"rule": rule.id, "name": rule.name}) | some rule in array.slice(fitting, 0, 1)],
	[call.reason("review_rule", "human_review", {}) | gives("review") == true],
)

# A condition of a later version never holds: to leave it out would widen the rule.
fits(rule) if {
	every name, wanted in object.get(rule, "when", {}) {
		holds(name, wanted)
	}
}

attributes := {
	"workflow": call.slug,
	"team": call.team,
	"stage": call.text("stage"),
	"task_type": call.text("task_type"),
	"environment": call.environment,
	"user": call.text("user"),
	"user_tier": call.text("user_tier"),
	"application": call.text("application"),
	"domain": call.text("domain"),
}

holds(name, wanted) if attributes[name] in wanted

holds("risk_category", wanted) if {
	some risk in call.risks
	risk in wanted
}

holds("business_value", span) if within(call.decimal(object.get(call.configured, "value_weight", "1")), decimals(span))

holds("complexity", span) if within(call.decimal(call.said("complexity", null)), decimals(span))

holds("input_tokens", span) if {
	call.input_tokens != null
	within(call.input_tokens, span)
}

holds("estimated_cost_nano", span) if {
	usual_cost != null
	within(usual_cost, span)
}

holds("time_of_day", hours) if {
	hours.from == hours.to
	weekday in on(hours)
}

holds("time_of_day", hours) if {
	hours.from < hours.to
	hours.from <= clock
	clock < hours.to
	weekday in on(hours)
}

holds("time_of_day", hours) if {
	hours.from > hours.to
	clock >= hours.from
	weekday in on(hours)
}

# After midnight it belongs to the day on which it began.
holds("time_of_day", hours) if {
	hours.from > hours.to
	clock < hours.to
	call.rest(weekday + 5, 7) + 1 in on(hours)
}

within(number, span) if {
	not below(number, span)
	not above(number, span)
}

below(number, span) if number < span.at_least

above(number, span) if number >= span.below

decimals(span) := {end: call.decimal(call.shown(number)) | some end, number in span}

on(hours) := days if {
	days := object.get(hours, "days", [])
	count(days) > 0
} else := [1, 2, 3, 4, 5, 6, 7]

# The organisation's clock.

offsets := data.tokenops.bundle.organisation.utc_offsets

begun := [offset.minutes | some offset in offsets; offset.since <= call.now]

offset_now := begun[count(begun) - 1] if count(begun) > 0

else := offsets[0].minutes if count(offsets) > 0

else := 0

local_minutes := call.quotient(call.at, 60) + offset_now

clock := concat(":", [call.two(call.quotient(call.rest(local_minutes, 1440), 60)), call.two(call.rest(local_minutes, 60))])

# 1 January 1970 was a Thursday; Monday is 1.
weekday := call.rest(call.quotient(local_minutes, 1440) + 3, 7) + 1

# What it would cost as asked for, else by the first model with a price of the usual tier.
usual_cost := cost if {
	cost := data.tokenops.models.cost(data.tokenops.models.listed.model, usual_output)
	cost != null
} else := costs[0] if {
	usual := data.tokenops.models.known([object.get(call.configured, "default_tier", null), data.tokenops.bundle.default_tier])
	costs := [cost |
		some model in data.tokenops.models.by_number[usual].models
		cost := data.tokenops.models.cost(model, usual_output)
		cost != null
	]
	count(costs) > 0
} else := null

usual_output := call.output_under(call.least([call.said("max_output_tokens", null), call.limit("max_output_tokens")]))

# The longest answer.

cap := call.least([call.said("max_output_tokens", null), call.limit("max_output_tokens"), gives("max_output_tokens")])

output := call.output_under(cap)
