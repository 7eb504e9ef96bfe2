"""The usual way to build such an endpoint, to be compared with: a DRF serializer and bulk_create."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, models, transaction
from rest_framework import serializers


class PlainEvent(models.Model):
    """The benchmark's events as one plain table with a unique id."""

    id = models.UUIDField(primary_key=True)
    time = models.DateTimeField()
    workflow = models.CharField(max_length=128)
    run_id = models.CharField(max_length=128)
    step = models.IntegerField()
    stage = models.CharField(max_length=128)
    environment = models.CharField(max_length=128)
    provider = models.CharField(max_length=128)
    model = models.CharField(max_length=128)
    input_tokens = models.BigIntegerField()
    cached_input_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    user = models.CharField(max_length=128)
    campaign = models.CharField(max_length=128)
    status = models.CharField(max_length=16)
    latency_ms = models.IntegerField()

    class Meta:
        app_label = "usage"
        db_table = "benchmark_plain_event"
        managed = False

    def __str__(self) -> str:
        return str(self.id)


class PlainSerializer(serializers.ModelSerializer[PlainEvent]):
    class Meta:
        model = PlainEvent
        fields = "__all__"


@contextmanager
def table() -> Iterator[None]:
    """The table, for as long as it is measured."""
    with connection.schema_editor() as editor:
        editor.create_model(PlainEvent)
    try:
        yield
    finally:
        with connection.schema_editor() as editor:
            editor.delete_model(PlainEvent)


def take(events: list[dict[str, Any]]) -> None:
    """Validate and insert one batch, in one transaction."""
    serializer = PlainSerializer(data=events, many=True)
    # Uniqueness is the database's to say; asking for each row would make this way slower still.
    serializer.child.fields["id"].validators = []
    serializer.is_valid(raise_exception=True)
    with transaction.atomic():
        PlainEvent.objects.bulk_create([PlainEvent(**values) for values in serializer.validated_data])
