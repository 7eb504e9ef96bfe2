# What is asked, with what is configured for it. Absent, null and "" mean: not said.
package tokenops.call

import rego.v1

bundle := data.tokenops.bundle

given := object.get(input, "request", {})

said(name, otherwise) := stated(given, name, otherwise)

stated(object, name, otherwise) := value if {
	value := object[name]
	not value in {null, ""}
} else := otherwise

text(name) := said(name, "")

environment := said("environment", "production")

operation := said("operation", "chat")

makes_text if operation in {"chat", "completion"}

attempt := said("attempt", 1)

context := said("context", {})

run := said("run", {})

# Seconds since 1970, whole: everything that it is compared with is whole too.
at := floor(input.now_unix)

now := instant(at)

# The workflow that it counts as.

named := said("workflow", "unassigned")

configured := object.get(bundle.workflows, named, {})

slug := configured.merged_into if configured.merged_into != null

else := named

team := configured.team if {
	configured.team != null
	configured.team != ""
} else := text("team")

risks := {risk | some risk in object.get(configured, "risk_categories", [])} |
	{risk | some risk in said("risk_flags", [])}

# Limits, those of the task type before the workflow's own.

own_limits := object.remove(object.get(configured, "guardrails", {}), ["by_task_type"])

typed_limits := object.get(object.get(object.get(configured, "guardrails", {}), "by_task_type", {}), text("task_type"), {})

limits := {name: value |
	some name in object.keys(own_limits) | object.keys(typed_limits)
	value := object.get(typed_limits, name, object.get(own_limits, name, null))
}

limit(name) := object.get(limits, name, null)

# How long.

input_tokens := said("input_tokens", null) if said("input_tokens", null) != null

else := sum([tokens | some tokens in context]) if count(context) > 0

else := null

# Tokens of the answer under that cap; null: no cap.
output_under(cap) := tokens if {
	tokens := least([said("output_tokens", null), cap])
	tokens != null
} else := 0

# Numbers.

least(numbers) := found[0] if {
	stated := [number | some number in numbers; number != null]
	found := [number | some number in stated; every other in stated { number <= other }]
} else := null

greatest(values) := found[0] if {
	found := [value | some value in values; every other in values { value >= other }]
} else := null

# Whole numbers below 2^53, whose quotient no rounding takes to the next whole number.
quotient(number, by) := floor(number / by)

rest(number, by) := number - (by * quotient(number, by))

# Decimal text as something that compares as its value does: the whole part, and the fraction filled up with noughts.
decimal(number) := [whole, padded] if {
	is_string(number)
	regex.match(`^[0-9]+(\.[0-9]+)?$`, number)
	parts := split(number, ".")
	whole := natural(parts[0])
	padded := substring(concat("", [fraction_of(parts), noughts]), 0, 30)
}

# Dollars as nano-dollars, rounded down.
nano(dollars) := (natural(parts[0]) * 1000000000) + nano_part(parts) if parts := split(dollars, ".")

nano_part(parts) := natural(substring(concat("", [fraction_of(parts), noughts]), 0, 9))

fraction_of([_, fraction]) := fraction

fraction_of([_]) := ""

noughts := "000000000000000000000000000000"

natural(digits) := to_number(stripped) if {
	stripped := trim_left(digits, "0")
	stripped != ""
} else := 0

# RFC 3339 of seconds since 1970: what instants of the bundle are compared with, as text. By eras of 400 years that begin
# on 1 March, so that the leap day is the last.
instant(seconds) := concat("", [date, "T", two(hour), ":", two(minute), ":", two(second), "Z"]) if {
	days := quotient(seconds, 86400) + 719468
	era := quotient(days, 146097)
	of_era := rest(days, 146097)
	years := quotient(((of_era - quotient(of_era, 1460)) + quotient(of_era, 36524)) - quotient(of_era, 146096), 365)
	of_year := of_era - (((365 * years) + quotient(years, 4)) - quotient(years, 100))
	shifted := quotient((5 * of_year) + 2, 153)
	day := (of_year - quotient((153 * shifted) + 2, 5)) + 1
	month := rest(shifted + 2, 12) + 1
	year := ((years + (era * 400)) + later(month))
	date := concat("-", [format_int(year, 10), two(month), two(day)])
	hour := quotient(rest(seconds, 86400), 3600)
	minute := quotient(rest(seconds, 3600), 60)
	second := rest(seconds, 60)
}

# January and February belong to the year before where years begin in March.
later(month) := 1 if month <= 2

else := 0

two(number) := concat("", ["0", format_int(number, 10)]) if number < 10

else := format_int(number, 10)

# Ordering is written out, here and elsewhere, where rego-cpp 1.5 has it wrong: its min, max and sort compare numbers as text,
# its % loses digits, and inside a comprehension it forgets which argument a rule is indexed by.

# A reason with its sentence. Braces in what fills it in are left alone.
reason(code, action, values) := {"code": code, "action": action, "values": values, "text": sentence} if {
	parts := split(data.tokenops.words[code], "{")
	sentence := concat("", [piece | some place; part := parts[place]; piece := filled(place, part, values)])
}

filled(0, part, _) := part

filled(place, part, values) := concat("", [shown(values[substring(part, 0, end)]), substring(part, end + 1, -1)]) if {
	place > 0
	end := indexof(part, "}")
}

shown(value) := value if is_string(value)

shown(value) := format_int(value, 10) if is_number(value)
