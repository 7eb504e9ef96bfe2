"""Every address of a table's CSV answers with one, for whoever may look; so does one whose filter makes no sense."""

import csv
import io

import pytest
from django.contrib.auth.models import User
from django.urls import URLPattern, URLResolver, get_resolver, reverse

pytestmark = pytest.mark.django_db


def named(patterns):
    """(name, takes values) of every address whose name ends in -csv."""
    for one in patterns:
        if isinstance(one, URLResolver):
            yield from named(one.url_patterns)
        elif isinstance(one, URLPattern) and (one.name or "").endswith("-csv"):
            yield one.name, bool(one.pattern.converters)


ADDRESSES = sorted(set(named(get_resolver().url_patterns)))
OF_ONE = {"price-history-csv"}  # told by the query string which one; tested beside their pages
LISTS = [name for name, takes_values in ADDRESSES if not takes_values and name not in OF_ONE]


def test_there_are_some():
    assert {"budgets-csv", "imports-csv"} <= set(LISTS)


@pytest.mark.parametrize("query", ["", "?page=99&status=zebra&q=%00&period=zebra&month=13&sort=x&from=x&to=y"])
@pytest.mark.parametrize("name", LISTS)
def test_a_list_answers_with_a_header_line(client, name, query):
    client.force_login(User.objects.create_superuser("lena"))
    answer = client.get(reverse(name) + query)
    assert answer.status_code == 200, name
    assert answer["Content-Type"].startswith("text/csv")
    assert "attachment" in answer["Content-Disposition"]
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    header, *rows = list(csv.reader(io.StringIO(body.decode())))
    assert len(header) > 1
    assert len(set(header)) == len(header)
    assert {len(row) for row in rows} <= {len(header)}


@pytest.mark.parametrize("name", LISTS)
def test_nobody_reads_it_signed_out(client, name):
    assert client.get(reverse(name)).status_code in {302, 403}
