"""A migrated database that is there for one benchmark."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def database() -> Iterator[None]:
    """Django set up on a new database of DATABASE_URL's server, or of an embedded one; dropped afterwards."""
    from tests import machine

    with ExitStack() as running:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokenops_site.settings")
        os.environ.setdefault("SECRET_KEY", "only-for-a-benchmark")
        if not os.environ.get("DATABASE_URL"):
            os.environ["DATABASE_URL"] = running.enter_context(machine.embedded_server())
        import django

        django.setup()
        from django.db import connection

        connection.creation.create_test_db(verbosity=0, autoclobber=True)
        running.callback(connection.creation.destroy_test_db, connection.settings_dict["NAME"], 0)
        yield
