import socket

import pytest
from django.db import connection


@pytest.mark.django_db
def test_tests_have_a_message_queue() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database(), to_regnamespace('pgmq') IS NOT NULL")
        name, has_queue = cursor.fetchone() or ("", False)
    assert name.startswith("test_")
    assert has_queue


def test_network_is_refused() -> None:
    with pytest.raises(RuntimeError, match=r"198\.51\.100\.1"):
        socket.create_connection(("198.51.100.1", 80))
