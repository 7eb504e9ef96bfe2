"""Forget what counts no more: tries to sign in that are long over, sessions that ended."""

from datetime import datetime

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection

IN_DATABASE = "django.core.cache.backends.db.DatabaseCache"


def forget_what_ended(now: datetime) -> int:
    """Delete expired rows; how many. Running it twice, or together, changes nothing."""
    gone, _ = Session.objects.filter(expire_date__lt=now).delete()
    cache = settings.CACHES["default"]
    if cache["BACKEND"] == IN_DATABASE:
        with connection.cursor() as cursor:
            table = connection.ops.quote_name(str(cache["LOCATION"]))
            cursor.execute(f"DELETE FROM {table} WHERE expires < %s", [now])
            gone += cursor.rowcount
    return int(gone)
