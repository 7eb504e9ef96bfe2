"""The API's description can be made without a doubt: no part of it stands for two things."""

from io import StringIO

from django.core.management import call_command
from drf_spectacular.drainage import GENERATOR_STATS


def test_no_two_parts_of_it_have_one_name():
    GENERATOR_STATS.reset()
    said = StringIO()
    try:
        call_command("spectacular", "--fail-on-warn", "--file", "/dev/null", stdout=said, stderr=said)
    finally:
        GENERATOR_STATS.reset()
