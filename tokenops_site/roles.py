"""Two database roles: the application's own, and the owner's, to whom the history belongs.

The application's role owns every other table (it makes and detaches the ledger's months), but of the history it can
only read and append. It owns neither the history's functions nor schema or database, so it cannot switch the triggers
off, drop the table or swap what a trigger calls. Only `prepare`, `backup` and `restore` ever connect as the owner.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg import sql

HISTORY = "budgets_auditentry"
PATIENCE = "60s"  # for a table that somebody reads or writes just now

RELATIONS = """
SELECT c.oid::regclass::text, CASE WHEN c.relkind IN ('v', 'm') THEN 'VIEW' WHEN c.relkind = 'S' THEN 'SEQUENCE'
    ELSE 'TABLE' END
FROM pg_class AS c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
AND c.relname <> %(history)s AND c.relowner <> %(application)s::regrole
AND NOT EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass
    AND (d.deptype = 'e' OR (c.relkind = 'S' AND d.deptype IN ('a', 'i'))))  -- a column's sequence goes with its table
ORDER BY c.oid
"""
ROUTINES = """
SELECT p.oid::regprocedure::text FROM pg_proc AS p
WHERE p.pronamespace = current_schema()::regnamespace AND p.proowner <> current_user::regrole
AND NOT EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.objid = p.oid AND d.deptype = 'e')
ORDER BY p.oid
"""
OWNED_BY_ANOTHER = "SELECT 1 FROM pg_class WHERE oid = to_regclass(%s) AND relowner <> current_user::regrole"
ROLE = """
SELECT rolsuper, pg_has_role(oid, current_user, 'MEMBER'), pg_has_role(current_user, oid, 'MEMBER'),
    rolcreaterole OR rolbypassrls OR rolreplication
FROM pg_roles WHERE rolname = %s
"""
PLACES = """
SELECT pg_get_userbyid(datdba), pg_get_userbyid(nspowner), nspname FROM pg_database, pg_namespace
WHERE datname = current_database() AND pg_namespace.oid = current_schema()::regnamespace
"""


class CannotProtect(Exception):
    """Why the two roles cannot be had, and what to do, in a sentence."""


def owner_of(owner_url: str, application_url: str) -> str:
    """The owner's address for the database of DATABASE_URL, whatever database the owner's own address names."""
    return urlsplit(owner_url)._replace(path=urlsplit(application_url).path).geturl()


def make_ready(owner_url: str, application_url: str) -> list[str]:
    """Make the application's role where it is missing, and let it work in the database. What was done, in sentences.

    Raises CannotProtect. May be run as often as wanted.
    """
    name, password = _who(application_url)
    done = []
    with _connected(owner_url, application_url) as owner:
        if name == _current_user(owner):
            raise CannotProtect(
                f"DATABASE_URL and DATABASE_OWNER_URL both name the role {name}. Give the application a role of its own"
                f" in DATABASE_URL, such as {name}_app: it is made if it is missing."
            )
        found = owner.execute(ROLE, [name]).fetchone()
        if found is None:
            owner.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
            _set_password(owner, name, password)
            done.append(f"The role {name} was made for the application.")
            found = owner.execute(ROLE, [name]).fetchone()
        elif _is_refused(application_url):
            _set_password(owner, name, password)
            done.append(f"The role {name} got the password of DATABASE_URL.")
        assert found is not None
        _check_role(name, found)
        if not found[2]:
            owner.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(name)))
        _open_places(owner, name)
    return done


def hand_over(owner_url: str, application_url: str) -> int:
    """Give the application what is its own, and the owner the history; how many things changed hands.

    Run it after migrating as the owner. Raises CannotProtect.
    """
    name, _ = _who(application_url)
    role = sql.Identifier(name)
    with _connected(owner_url, application_url) as owner:
        owner.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(PATIENCE))
        relations = owner.execute(RELATIONS, {"history": HISTORY, "application": name}).fetchall()
        for relation, kind in relations:
            owner.execute(f"ALTER {kind} {relation} OWNER TO {role.as_string(owner)}".encode())
        routines = owner.execute(ROUTINES).fetchall()
        for (routine,) in routines:
            owner.execute(f"ALTER ROUTINE {routine} OWNER TO CURRENT_USER".encode())
        history = sql.Identifier(HISTORY)
        if owner.execute(OWNED_BY_ANOTHER, [HISTORY]).fetchone():
            owner.execute(sql.SQL("ALTER TABLE {} OWNER TO CURRENT_USER").format(history))
        owner.execute(sql.SQL("REVOKE ALL ON {} FROM PUBLIC, {}").format(history, role))
        owner.execute(sql.SQL("GRANT SELECT, INSERT ON {} TO {}").format(history, role))
    return len(relations) + len(routines)


def _who(url: str) -> tuple[str, str]:
    """Role and password of an address."""
    parts = urlsplit(url)
    if not parts.username:
        raise CannotProtect("DATABASE_URL names no role. Write it like postgresql://ROLE:PASSWORD@HOST/DATABASE.")
    return unquote(parts.username), unquote(parts.password or "")


@contextmanager
def _connected(owner_url: str, application_url: str) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    """One transaction as the owner in the application's database."""
    try:
        with psycopg.connect(owner_of(owner_url, application_url), connect_timeout=10) as owner:
            yield owner
    except psycopg.errors.InsufficientPrivilege as problem:
        raise CannotProtect(
            f"The role of DATABASE_OWNER_URL may not do what protecting the history takes ({_first_line(problem)})."
            " It must own the database, and may make roles or be a member of the application's role."
        ) from None
    except psycopg.errors.LockNotAvailable:
        raise CannotProtect("Somebody held a table for a minute. Nothing was changed; try again.") from None
    except psycopg.OperationalError as problem:
        raise CannotProtect(f"No connection to the database of DATABASE_OWNER_URL: {_first_line(problem)}") from None


def _current_user(owner: "psycopg.Connection[tuple[object, ...]]") -> str:
    found = owner.execute("SELECT current_user::text").fetchone()
    assert found is not None
    return str(found[0])


def _check_role(name: str, found: tuple[object, ...]) -> None:
    is_super, is_member_of_owner, _, is_mighty = found
    if is_super or is_mighty:
        raise CannotProtect(
            f"The role {name} of DATABASE_URL is a superuser or nearly one, and could change the history."
            f" Name another role there (it is made if it is missing), or take these rights from it."
        )
    if is_member_of_owner:
        raise CannotProtect(
            f"The role {name} of DATABASE_URL is a member of the owner's, and could change the history. REVOKE that."
        )


def _open_places(owner: "psycopg.Connection[tuple[object, ...]]", name: str) -> None:
    """Database and schema belong to the owner; the application may connect, and make tables."""
    found = owner.execute(PLACES).fetchone()
    assert found is not None
    database_owner, schema_owner, schema = (str(one) for one in found)
    row = owner.execute("SELECT current_database()::text").fetchone()
    assert row is not None
    database, role = sql.Identifier(str(row[0])), sql.Identifier(name)
    if database_owner == name:
        owner.execute(sql.SQL("ALTER DATABASE {} OWNER TO CURRENT_USER").format(database))
    if schema_owner == name:
        owner.execute(sql.SQL("ALTER SCHEMA {} OWNER TO CURRENT_USER").format(sql.Identifier(schema)))
    owner.execute(sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(database, role))
    owner.execute(sql.SQL("GRANT USAGE, CREATE ON SCHEMA {} TO {}").format(sql.Identifier(schema), role))


def _set_password(owner: "psycopg.Connection[tuple[object, ...]]", name: str, password: str) -> None:
    """Hashed here, so that it stands in no log of the server."""
    if not password:
        return
    hashed = owner.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256")
    change = sql.SQL("ALTER ROLE {} PASSWORD {}")
    owner.execute(change.format(sql.Identifier(name), sql.Literal(hashed.decode())))


def _is_refused(application_url: str) -> bool:
    """Whether the server turns the application's password away."""
    try:
        psycopg.connect(application_url, connect_timeout=10).close()
    except psycopg.OperationalError as problem:
        return "password authentication failed" in str(problem)
    return False


def _first_line(problem: Exception) -> str:
    return str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
