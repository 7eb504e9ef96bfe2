"""docker-compose.yml: valid by the Compose schema, `serve`'s commands, and started here without containers."""

import json
import os
import re
import secrets
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import jsonschema
import psycopg
import pytest
import yaml
from psycopg import sql

from tests.stack import CHECKOUT
from tokenops_site.serve import commands
from tokenops_site.serve.children import Lifeline, Program, kill_group, start
from tokenops_site.serve.command import free_port
from tokenops_site.serve.embedded import make_database

APP_SERVICES = ("migrate", "web", "push", "worker", "beat")
SETTINGS = {"SECRET_KEY": "long-enough-for-a-test-of-the-compose-file", "POSTGRES_PASSWORD": "p", "APP_PASSWORD": "a"}


def compose(values):
    """The file as Compose reads it: `${NAME:-default}` and `${NAME:?message}` filled in from `values`."""

    def fill(found):
        name, default = found["name"], found["default"]
        assert name in values or found["kind"] == ":-", f"{name} has no default and is not set"
        return values.get(name) or default

    text = (CHECKOUT / "docker-compose.yml").read_text()
    return yaml.safe_load(re.sub(r"\$\{(?P<name>\w+)(?P<kind>:-|:\?)(?P<default>[^}]*)\}", fill, text))


def test_the_file_is_valid_by_the_compose_schema():
    schema = json.loads((Path(__file__).parent / "vendor" / "compose-spec.json").read_text())
    jsonschema.validate(compose(SETTINGS), schema, cls=jsonschema.Draft201909Validator)
    broken = compose(SETTINGS)
    broken["services"]["web"]["helthcheck"] = {}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema, cls=jsonschema.Draft201909Validator)


def test_secrets_have_no_default():
    for missing in SETTINGS:
        with pytest.raises(AssertionError, match=missing):
            compose({name: value for name, value in SETTINGS.items() if name != missing})


def test_only_the_migrate_step_knows_the_owner_of_the_history():
    services = compose(SETTINGS)["services"]
    for name in APP_SERVICES:
        environment = services[name]["environment"]
        assert ("DATABASE_OWNER_URL" in environment) == (name == "migrate"), name
        assert environment["DATABASE_URL"] == "postgresql://tokenops_app:a@postgres:5432/tokenops", name


def test_every_long_running_service_has_a_health_check_and_no_privileges():
    services = compose(SETTINGS)["services"]
    assert set(services) == {*APP_SERVICES, "postgres", "redis"}
    for name, service in services.items():
        assert ("healthcheck" in service) == (name != "migrate"), name
        if name != "postgres":  # its image starts as root to own its volume, then steps down by itself
            assert service["user"].split(":")[0] not in ("0", "root"), name
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name


def test_the_commands_are_those_of_serve():
    """So that what the supervisor's tests show holds for the containers too."""
    services = compose({**SETTINGS, "PORT": "81", "PUSH_PORT": "82"})["services"]
    environment = {name: text_of(value) for name, value in services["web"]["environment"].items()}
    assert services["web"]["command"] == ["python", *commands.web(environment)]
    assert services["push"]["command"] == ["python", *commands.push(environment)]
    assert services["worker"]["command"] == ["python", *commands.worker()]
    assert services["beat"]["command"] == ["python", *commands.beat(environment["TOKENOPS_DATA_DIR"])]


def text_of(value):
    """As Compose hands a value over: it fills in after reading the YAML, so nothing stays an empty text."""
    return "" if value is None else str(value)


def test_every_variable_of_the_app_is_read_by_the_settings():
    """A misspelt variable would be ignored in silence."""
    sources = "".join(
        path.read_text() for path in [*CHECKOUT.glob("tokenops_site/*.py"), *CHECKOUT.glob("tokenops_site/serve/*.py")]
    )
    for name in compose(SETTINGS)["services"]["web"]["environment"]:
        assert f'"{name}"' in sources, name


def test_the_images_static_files_need_no_database(tmp_path):
    line = next(one for one in (CHECKOUT / "Dockerfile").read_text().splitlines() if "--static-only" in one)
    stated = dict(re.findall(r"([A-Z_]+)=(\S+)", line))
    assert set(stated) == {"SECRET_KEY", "DATABASE_URL"}
    environment = {
        "PATH": os.environ["PATH"],
        **stated,
        "STATIC_ROOT": str(tmp_path),
        "TOKENOPS_DATA_DIR": str(tmp_path),
    }
    command = [sys.executable, "manage.py", "prepare", "--static-only"]
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "staticfiles.json").exists()


class Containers:
    """The file's services as plain processes: its commands and variables, only addresses and folders are moved here."""

    def __init__(self, folder, database_url, owner_url, redis_url):
        port, push_port = free_port(), free_port()
        text = (CHECKOUT / "docker-compose.yml").read_text().replace("/tmp/tokenops", str(folder / "data"))
        assert str(folder / "data") in text
        values = {**SETTINGS, "PORT": str(port), "PUSH_PORT": str(push_port)}
        self.services = compose(values)["services"]
        self.base_url = f"http://127.0.0.1:{port}"
        self.folder = folder
        self.data = folder / "data"  # not there yet, as on a container's empty /tmp
        self.moved = {"DATABASE_URL": database_url, "BROKER_URL": redis_url, "TOKENOPS_DATA_DIR": str(self.data)}
        # A queue of its own on a Redis that others may use as well; the image has static files collected already.
        self.moved |= {"CELERY_QUEUE": f"compose-{port}", "STATIC_ROOT": os.environ["STATIC_ROOT"]}
        self.owner_url = owner_url
        self.lifeline = Lifeline()
        self.guardians = {}

    def environment(self, name):
        stated = {key: text_of(value) for key, value in self.services[name]["environment"].items()}
        if "DATABASE_OWNER_URL" in stated:
            stated["DATABASE_OWNER_URL"] = self.owner_url
        return {"PATH": os.environ["PATH"], **stated, **self.moved}

    def command(self, words):
        assert words[0] == "python"
        return [sys.executable, *(word.replace("/tmp/tokenops", str(self.data)) for word in words[1:])]

    def run(self, name, words):
        return subprocess.run(
            self.command(words), cwd=CHECKOUT, env=self.environment(name), capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip

    def start(self, name):
        program = Program(
            name, self.command(self.services[name]["command"]), self.environment(name), CHECKOUT,
            log=self.folder / f"{name}.log",
        )  # fmt: skip
        self.guardians[name] = start(program, self.lifeline)

    def is_healthy(self, name):
        kind, *words = self.services[name]["healthcheck"]["test"]
        assert kind == "CMD"
        return self.run(name, words).returncode == 0

    def stop(self):
        self.lifeline.cut()
        for guardian in self.guardians.values():
            guardian.wait(timeout=20)
            kill_group(guardian)


@pytest.fixture
def containers(tmp_path, server_url, redis_url):
    name = f"compose_{secrets.token_hex(5)}"
    make_database(server_url, name)
    with ExitStack() as clearing:
        clearing.callback(drop_database, server_url, name)
        where = urlsplit(server_url)
        application = f"{name}_app:a@{where.netloc.rpartition('@')[2]}"
        url = where._replace(netloc=application, path=f"/{name}").geturl()
        made = Containers(tmp_path, url, server_url, redis_url)
        clearing.callback(made.stop)
        yield made


def drop_database(server_url, name):
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(f"{name}_app")))


@pytest.mark.server
def test_the_services_start_and_get_healthy_with_the_files_commands_and_variables(containers):
    migrated = containers.run("migrate", containers.services["migrate"]["command"])
    assert migrated.returncode == 0, migrated.stdout + migrated.stderr
    assert "First administrator: admin, password " in migrated.stdout
    assert "can only add to the history" in migrated.stdout
    names = [name for name in APP_SERVICES if name != "migrate"]
    for name in names:
        containers.start(name)
    deadline = time.monotonic() + 60
    waiting = set(names)
    while waiting:
        waiting = {name for name in waiting if not containers.is_healthy(name)}
        logs = {name: (containers.folder / f"{name}.log").read_text()[-2000:] for name in waiting}
        assert time.monotonic() < deadline, f"not healthy: {logs}"
    assert all(guardian.poll() is None for guardian in containers.guardians.values())
