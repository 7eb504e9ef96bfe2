"""Approved texts that workflows send with their calls. docs/snippets.md."""
