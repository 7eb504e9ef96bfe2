from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from budgets.access.keys import digest
from budgets.models import ApiKey, AuditEntry

pytestmark = pytest.mark.django_db


def create(capsys, *words):
    call_command("create_api_key", *words)
    return capsys.readouterr()


def test_the_key_stands_alone_on_standard_output_and_is_kept_only_as_a_digest(capsys):
    shown = create(capsys, "Gateway", "--scope", "ingest", "--scope", "bundle")
    key = ApiKey.objects.get()
    assert bytes(key.digest) == digest(shown.out.strip())
    assert set(key.scopes) == {"ingest", "bundle"}
    assert key.source.slug == "gateway"
    assert key.expires_at is None
    assert shown.out.strip() not in shown.err


def test_source_and_expiry(capsys):
    create(capsys, "Two", "--scope", "ingest", "--source", "litellm", "--expires", "30")
    key = ApiKey.objects.get()
    assert key.source.slug == "litellm"
    assert abs(key.expires_at - timezone.now() - timedelta(days=30)) < timedelta(minutes=1)


def test_it_leaves_an_audit_row_without_the_key(capsys):
    shown = create(capsys, "Audited", "--scope", "ingest")
    entry = AuditEntry.objects.get(object_type="budgets.apikey")
    assert (entry.act, entry.who_text, entry.before) == ("created", "command create_api_key", None)
    assert entry.after["scopes"] == ["ingest"]
    assert shown.out.strip() not in str(entry.after)


@pytest.mark.parametrize(
    "words",
    [
        ("No scope",),
        ("Unknown", "--scope", "everything"),
        ("Past", "--scope", "ingest", "--expires", "0"),
        ("???", "--scope", "ingest"),
    ],
)
def test_nonsense_makes_no_key(words, capsys):
    with pytest.raises(CommandError):
        call_command("create_api_key", *words)
    assert not ApiKey.objects.exists()
