"""The same policy for Open Policy Agents: docs/opa.md."""
