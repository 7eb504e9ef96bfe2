#!/usr/bin/env python
"""Django's command line. `serve`, `backup` and `restore` bring up the database themselves, before Django's settings."""

import importlib
import os
import sys

# Commands that work on files alone: no settings, no database. Each module has `main(arguments)`, the exit status.
ON_FILES = {
    "bench_anomaly": "reports.unusual.command",
    "bench_forecast": "reports.forecast.command",
}


def main() -> None:
    if sys.argv[1:] and sys.argv[1] in ON_FILES:
        sys.exit(importlib.import_module(ON_FILES[sys.argv[1]]).main(sys.argv[2:]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokenops_site.settings")
    if sys.argv[1:2] == ["serve"]:
        from tokenops_site.serve.command import main as serve

        sys.exit(serve(sys.argv[2:]))
    if sys.argv[1:2] in (["backup"], ["restore"]):
        from tokenops_site.backup.command import main as carry

        sys.exit(carry(sys.argv[1:]))
    from tokenops_site.serve.installation import recall

    recall(os.environ)
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as problem:
        sys.exit(str(problem))  # a sentence for whoever runs it; the traceback would only bury it


if __name__ == "__main__":
    main()
