"""The form of a channel: its name, its transport's fields, quiet hours and the digest's time."""

from typing import Any

from django import forms

from budgets.delivery.channels import ChannelValues
from budgets.delivery.transport import Transport
from budgets.models import Channel

OWN = ("name", "requests", "quiet_from", "quiet_to", "digest_at")
KEPT = "Empty: it stays as it is."


def _time(label: str, hint: str = "", required: bool = False) -> forms.TimeField:
    widget = forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    return forms.TimeField(label=label, help_text=hint, required=required, widget=widget)


class ChannelForm(forms.Form):
    """`values` after `is_valid`. What an address may be is said by the transport."""

    name = forms.CharField(label="Name", max_length=128, help_text="What people choose in an alert rule.")
    requests = forms.BooleanField(label="Also tell of requests that wait for a decision", required=False)
    quiet_from = _time("Quiet from", "Only urgent messages leave in quiet hours.")
    quiet_to = _time("Quiet until")
    digest_at = _time("Daily digest at", "What is not urgent comes once a day, then.", required=True)

    def __init__(self, *args: Any, transport: Transport, channel: Channel | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.transport = transport
        for one in transport.fields:
            keeps = channel is not None and one.is_secret
            self.fields[one.name] = forms.CharField(
                label=one.label,
                help_text=f"{one.hint} {KEPT}".strip() if keeps else one.hint,
                required=False,  # the transport says in its own words what is missing
                max_length=2_000,
                widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
            )

    @property
    def address_fields(self) -> list[forms.BoundField]:
        return [self[one.name] for one in self.transport.fields]

    @property
    def values(self) -> ChannelValues:
        own = {name: self.cleaned_data[name] for name in OWN}
        return ChannelValues(
            transport=self.transport.key,
            typed={one.name: self.cleaned_data.get(one.name, "") for one in self.transport.fields},
            **own,
        )

    def refuse(self, problems: dict[str, str]) -> None:
        """Show what the room says beside its field."""
        for name, said in problems.items():
            self.add_error(name if name in self.fields else None, said)


def first_values(channel: Channel, transport: Transport) -> dict[str, Any]:
    """A channel as its form shows it: secret fields empty."""
    shown = {one.name: channel.address for one in transport.fields if not one.is_secret}
    return shown | {
        "name": channel.name,
        "requests": bool(channel.options.get("requests")),
        "quiet_from": channel.quiet_from,
        "quiet_to": channel.quiet_to,
        "digest_at": channel.digest_at,
    }
