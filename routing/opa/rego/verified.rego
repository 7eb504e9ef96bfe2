# What OPA's own check of the signature leaves open: is this bundle ours, not older than one obeyed before, and does the
# server still vouch for it?
#
#   data.tokenops_expected   {"audience": …, "keys": {kid: PEM}}, from the operator and not from the bundle
#   input.now_unix           seconds since 1970
#   input.freshness          the newest TokenOps-Freshness header of /api/v1/policy-bundle/opa.tar.gz
#   input.last_seen          {"epoch": …, "revision": …}, the highest obeyed so far; may be missing
#
# `ok`: it may be obeyed. `fresh`: it need not follow its fail mode.
package tokenops

import rego.v1

verified := {"ok": count(foreign) == 0, "fresh": count(stale) == 0, "problems": sort(foreign | stale)}

expected_audience := data.tokenops_expected.audience

foreign contains "audience_not_configured" if not expected_audience

foreign contains "other_audience" if expected_audience != data.tokenops.bundle.audience

foreign contains "older_revision" if input.last_seen.epoch > data.tokenops.bundle.epoch

foreign contains "older_revision" if {
	input.last_seen.epoch == data.tokenops.bundle.epoch
	input.last_seen.revision > data.tokenops.bundle.revision
}

stale contains "freshness_missing" if not is_string(object.get(input, "freshness", null))

stale contains "freshness_not_signed" if {
	is_string(input.freshness)
	not vouched
}

stale contains "freshness_of_another" if {
	vouched
	not vouched_for_this
}

stale contains "freshness_ended" if {
	vouched
	not vouched_until_now
}

vouched := claims if {
	is_string(input.freshness)
	count(split(input.freshness, ".")) == 3
	[header, claims, _] := io.jwt.decode(input.freshness)
	header.typ == "tokenops-freshness"
	header.alg == "ES256"
	io.jwt.verify_es256(input.freshness, data.tokenops_expected.keys[header.kid])
}

vouched_for_this if {
	vouched.aud == data.tokenops.bundle.audience
	vouched.epoch == data.tokenops.bundle.epoch
	vouched.revision == data.tokenops.bundle.revision
	vouched.etag == data.tokenops.digest
}

# Two clocks may differ by five seconds.
vouched_until_now if input.now_unix <= vouched.exp + 5
