"""Leases: slices of a hard limit that callers reserve before they spend. docs/leases.md says what holds."""
