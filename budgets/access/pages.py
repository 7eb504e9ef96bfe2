"""Lists in the API come in pages of a bounded size."""

from rest_framework.pagination import LimitOffsetPagination


class BoundedPages(LimitOffsetPagination):
    """`limit` and `offset`; a larger `limit` is taken as the largest."""

    max_limit = 1_000
