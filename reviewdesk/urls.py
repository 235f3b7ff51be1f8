"""The desk's addresses."""

from django.urls import URLPattern, URLResolver, include, path

from reviewdesk.health import healthz, readyz
from reviewdesk.screens.home import home
from traces.ingest import views as ingest

urlpatterns: list[URLPattern | URLResolver] = [
    path("", home, name="home"),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("api/v1/", include("reviewdesk.api.urls")),
    # Where OpenTelemetry's exporters send to when they are given the desk's address.
    path("v1/traces", ingest.traces, name="take_traces"),
    path("v1/logs", ingest.logs, name="take_logs"),
    path("", include("reviewdesk.people.urls")),
    path("p/<slug:slug>/overview/", include("reviewdesk.screens.overview.urls")),
    path("p/<slug:slug>/sessions/", include("reviewdesk.screens.sessions.urls")),
    path("p/<slug:slug>/approvals/", include("reviewdesk.screens.approvals.urls")),
    path("p/<slug:slug>/golden/judges/", include("reviewdesk.screens.judges.urls")),
    path("p/<slug:slug>/golden/", include("reviewdesk.screens.golden.urls")),
    path("p/<slug:slug>/releases/", include("reviewdesk.screens.releases.urls")),
    path("p/<slug:slug>/autonomy/", include("reviewdesk.screens.autonomy.urls")),
    path("p/<slug:slug>/stops/", include("reviewdesk.screens.stops.urls")),
    path("p/<slug:slug>/incidents/", include("reviewdesk.screens.incidents.urls")),
    path("p/<slug:slug>/settings/", include("reviewdesk.screens.settings.urls")),
]

handler403 = "reviewdesk.screens.errors.forbidden"
handler404 = "reviewdesk.screens.errors.not_found"
handler500 = "reviewdesk.screens.errors.failed"
