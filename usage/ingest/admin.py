"""Quarantine in Django's admin: look at it, correct the body, send it again or set it aside."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from budgets.audit.record import Actor, record
from usage.ingest.requeue import send_again
from usage.models import QuarantinedItem

if TYPE_CHECKING:
    QuarantineAdminBase = admin.ModelAdmin[QuarantinedItem]
else:
    QuarantineAdminBase = admin.ModelAdmin


@admin.register(QuarantinedItem)
class QuarantineAdmin(QuarantineAdminBase):
    """Items arrive by themselves and are never deleted; a corrected body stands beside the one that was sent."""

    list_display = ("received_at", "event_id", "code", "reason", "times", "status")
    list_filter = ("status", "code")
    search_fields = ("event_id", "body")
    fields = ("status", "received_at", "source_id", "event_id", "code", "reason", "times", "body", "corrected")
    readonly_fields = ("status", "received_at", "source_id", "event_id", "code", "reason", "times", "body")
    actions = ("send_once_more", "set_aside")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: QuarantinedItem | None = None) -> bool:
        return False

    @admin.display(description="why")
    def reason(self, item: QuarantinedItem) -> str:
        return str(item.problem.get("detail") or item.problem.get("title", ""))

    def save_model(self, request: HttpRequest, obj: QuarantinedItem, form: Any, change: bool) -> None:
        before = QuarantinedItem.objects.get(pk=obj.pk).to_send
        obj.save(update_fields=["corrected"])
        record(Actor.of_request(request), "corrected", obj, {"body": before}, {"body": obj.to_send})

    @admin.action(description="Send again", permissions=["change"])
    def send_once_more(self, request: HttpRequest, items: QuerySet[QuarantinedItem]) -> None:
        for item in items.exclude(status=QuarantinedItem.Status.REPLAYED):
            said = send_again(Actor.of_request(request), item)
            level = messages.ERROR if said.startswith("Still refused") else messages.SUCCESS
            self.message_user(request, f"{item.event_id or 'Item'}: {said}", level)

    @admin.action(description="Set aside", permissions=["change"])
    def set_aside(self, request: HttpRequest, items: QuerySet[QuarantinedItem]) -> None:
        for item in items.filter(status=QuarantinedItem.Status.OPEN):
            item.status = QuarantinedItem.Status.DISCARDED
            item.save(update_fields=["status"])
            record(Actor.of_request(request), "set aside", item, None, None)
