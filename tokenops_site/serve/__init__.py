"""One command that brings up everything: embedded PostgreSQL, web, push, worker and beat under a small supervisor.

Nothing here imports Django, because serving decides the settings that Django reads.
"""
