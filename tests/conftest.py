"""What every test starts from: a database of its own, without a pool and with its own queue."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from kombu.pools import reset as reset_pools
from psycopg.conninfo import make_conninfo

from reviewdesk.celery import app


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    settings.DATABASES["default"]["OPTIONS"].pop("pool", None)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """Point Celery's queue at the test database, which its migrations gave one."""
    options: dict[str, Any] = app.conf.broker_transport_options
    parameters = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    options["conn_string"] = make_conninfo(
        **{name: parameters[name] for name in names if parameters.get(name)}
    )
    yield
    app.close()
    reset_pools()
