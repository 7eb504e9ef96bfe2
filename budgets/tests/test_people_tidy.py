"""What ended is forgotten, what counts stays."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.utils import timezone

from budgets.people.tidy import forget_what_ended

pytestmark = pytest.mark.django_db


def test_expired_sessions_and_tries_go_and_others_stay():
    now = timezone.now()
    for name, ends in (("old", now - timedelta(days=1)), ("new", now + timedelta(days=1))):
        Session.objects.create(session_key=name, session_data="x", expire_date=ends)
    cache.set("short", 1, 60)
    cache.set("long", 1, 7200)
    assert forget_what_ended(now + timedelta(hours=1)) == 2
    assert list(Session.objects.values_list("session_key", flat=True)) == ["new"]
    assert (cache.get("short"), cache.get("long")) == (None, 1)
    assert forget_what_ended(now + timedelta(hours=1)) == 0
