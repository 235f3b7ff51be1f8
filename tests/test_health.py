import pytest
from django.test import Client

from agents.runtime.claim import beat
from reviewdesk.celery import app

pytestmark = pytest.mark.django_db


def test_healthz_needs_nothing_but_the_process(client: Client) -> None:
    response = client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "up"})


def test_desk_with_a_living_worker_is_ready(client: Client) -> None:
    beat("worker-1")
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json()["checks"] == {"database": "ok", "broker": "ok", "worker": "ok"}


def test_desk_without_a_worker_says_so(client: Client) -> None:
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["missing"] == ["no worker has been seen for ten seconds"]


def test_broker_that_is_away_is_missing(
    client: Client, settings: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat("worker-1")
    url = "redis://127.0.0.1:1/0"
    settings.ENVIRONMENT = type(settings.ENVIRONMENT)(  # type: ignore[attr-defined]
        **{**vars(settings.ENVIRONMENT), "broker_url": url}  # type: ignore[attr-defined]
    )
    monkeypatch.setattr(app.conf, "broker_write_url", url)
    assert client.get("/readyz").json()["missing"] == ["the broker of BROKER_URL does not answer"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_answer_reading_only_and_are_never_stored(client: Client, path: str) -> None:
    assert client.post(path).status_code == 405
    assert "no-store" in client.get(path).headers["Cache-Control"]
