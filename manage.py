#!/usr/bin/env python
"""Django's command line. `serve`, `backup` and `restore` bring up the database themselves, before Django's settings."""

import os
import sys


def main() -> None:
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
