"""Tests of the house itself, and what every floor's slow tests stand on (machine, stack, browser)."""
