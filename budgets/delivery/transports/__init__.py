"""Every way for a message to leave, by the key that rows hold."""

from budgets.delivery.transport import Transport
from budgets.delivery.transports.apprise import APPRISE
from budgets.delivery.transports.email import EMAIL
from budgets.delivery.transports.slack import SLACK
from budgets.delivery.transports.webhook import WEBHOOK

TRANSPORTS: dict[str, Transport] = {one.key: one for one in (EMAIL, SLACK, WEBHOOK, APPRISE)}
