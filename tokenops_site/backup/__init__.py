"""`manage.py backup FILE` and `manage.py restore FILE`, on the embedded PostgreSQL and on a server's.

Like `serve` they run before Django's settings: the database may not be there yet.
"""
