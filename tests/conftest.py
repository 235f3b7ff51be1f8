"""What every test starts from: a database of its own, without a pool and with its own queue."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from kombu.pools import reset as reset_pools
from playwright.sync_api import Browser, sync_playwright
from psycopg.conninfo import make_conninfo
from pytest_django import DjangoDbBlocker

from agents.runtime import claim, glance
from reviewdesk.celery import app
from tests.factories import audit_tables


def pytest_configure() -> None:
    """Make passwords cheap: their cost is Django's business."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def worker_that_holds_nothing() -> None:
    """Forget the runs that a test before claimed and never let go, as a lost worker does."""
    claim._held.clear()
    claim._suspects.clear()
    glance.forget()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    settings.DATABASES["default"]["OPTIONS"].pop("pool", None)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Point Celery's queue at the test database, and let transactional tests empty it."""
    options: dict[str, Any] = app.conf.broker_transport_options
    parameters = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    options["conn_string"] = make_conninfo(
        **{name: parameters[name] for name in names if parameters.get(name)}
    )
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        for table in audit_tables():
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER trail_is_not_emptied")
    yield
    app.close()
    reset_pools()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Run the system's Chromium; without one the test is skipped, or fails in CI."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        reason = "There is no chromium (apt install chromium)."
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    arguments += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=arguments)
        yield chromium
        chromium.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
