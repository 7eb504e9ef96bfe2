"""Where a refresh reads genai-prices from: the installed package, or its published data when that is switched on.

`PRICE_UPDATES_ONLINE` is off by default, since a budget tool has no business calling out. Switched on, making a preview
and applying it each send one request to the address in `genai_prices.update_prices.DEFAULT_UPDATE_URL`.
"""

import logging

from django.conf import settings

from usage.prices.seed import Seed, read_seed

logger = logging.getLogger(__name__)


def newest_seed() -> Seed:
    """What there is to compare the book with. When the network fails, the installed data stands."""
    if not getattr(settings, "PRICE_UPDATES_ONLINE", False):
        return read_seed()
    from genai_prices import UpdatePrices

    try:
        return read_seed(UpdatePrices().fetch())
    except Exception:  # whatever the network or the answer does
        logger.exception("Published prices could not be read; comparing with the installed package.")
        return read_seed()
