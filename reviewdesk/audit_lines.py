"""A change of authority as a line that people read: what, from what, to what, and where to look."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.urls import reverse

from agents.models import Level, Release, Tier
from reviewdesk.people.roles import Role
from traces.models import Project
from traces.redaction import KINDS

Row = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """What was changed.

    Attributes:
        subject: What it is about; the link's words.
        did: What was done to it.
        before: The value before, empty where there was none or it does not matter.
        after: Likewise.
        url: Where it can be looked at, or empty.
    """

    subject: str
    did: str
    before: str = ""
    after: str = ""
    url: str = ""


def tool_line(row: Row, project: Project) -> Line:
    """Tell of a tool that was given, taken, or set to another level."""
    place = [project.slug, row["agent__slug"], row["name"]]
    subject = f"{row['name']} of {row['agent__name']}"
    if row["label"] == "delete":
        url = reverse("autonomy:index", args=[project.slug])
        return Line(subject, "tool taken away", Level(row["level"]).label, "", url)
    url, level = reverse("autonomy:tool", args=place), Level(row["level"]).label
    if row["label"] == "insert":
        return Line(subject, "tool given", "", level, url)
    if row["level"] == row["level_before"]:
        did = "a candidate" if row["candidate_since"] else "proven as it is"
        return Line(subject, did, "", level, url)
    before = Level(row["level_before"]).label if row["level_before"] else ""
    return Line(subject, "level", before, level, url)


def lift_line(row: Row, project: Project) -> Line:
    """Tell of a tier's ceiling that was lifted, changed, or let down again."""
    subject = f"{Tier(row['tier']).label} of {row['agent__name']}"
    url = reverse("autonomy:agent", args=[project.slug, row["agent__slug"]])
    level = f"{Level(row['level']).label} until {row['expires_at']:%d %b %Y, %H:%M}"
    if row["label"] == "delete":
        return Line(subject, "lift ended", level, Tier(row["tier"]).ceiling.label, url)
    before = Level(row["level_before"]).label if row["level_before"] else ""
    return Line(subject, "ceiling lifted", before or Tier(row["tier"]).ceiling.label, level, url)


def agent_line(row: Row, project: Project) -> Line:
    """Tell of an agent's live version, ceiling, model endpoint or name."""
    url = reverse("autonomy:agent", args=[project.slug, row["slug"]])
    if row["label"] == "insert":
        return Line(row["name"], "agent made", "", Level(row["ceiling"]).label, url)
    if row["live_version_id"] != row["live_before"]:
        releases = f"{reverse('releases:index', args=[project.slug])}?agent={row['slug']}"
        before, after = (
            _version(row[key]) for key in ("live_number_before", "live_version__number")
        )
        return Line(row["name"], "live version", before, after, releases)
    if row["ceiling"] != row["ceiling_before"]:
        before = Level(row["ceiling_before"]).label
        return Line(row["name"], "agent's ceiling", before, Level(row["ceiling"]).label, url)
    if row["model_base_url"] != row["url_before"]:
        before, after = row["url_before"] or "the desk's", row["model_base_url"] or "the desk's"
        return Line(row["name"], "model endpoint", before, after, url)
    return Line(row["name"], "agent edited", "", "", url)


def release_line(row: Row, project: Project) -> Line:
    """Tell of a release that was requested or decided."""
    subject = f"{row['agent__name']} v{row['version__number']}"
    url = reverse("releases:release", args=[project.slug, row["obj_id"]])
    after = Release.Status(row["status"])
    if row["kind"] == Release.Kind.ROLLBACK:
        return Line(subject, "rolled back to", _version(row["baseline__number"]), "live", url)
    if row["label"] == "insert":
        return Line(subject, "release requested", "", after.label, url)
    did = {
        Release.Status.LIVE: "release approved",
        Release.Status.REFUSED: "release refused",
        Release.Status.WITHDRAWN: "release withdrawn",
        Release.Status.VOID: "release void",
    }.get(after, "release")
    before = Release.Status(row["status_before"]).label if row["status_before"] else ""
    return Line(subject, did, before, after.label, url)


def version_line(row: Row, project: Project) -> Line:
    """Tell of a version that was written."""
    place = [project.slug, row["agent__slug"], row["number"]]
    subject = f"{row['agent__name']} v{row['number']}"
    url = reverse("releases:version", args=place)
    return Line(subject, "version written", "", row["content_hash"][:8], url)


def test_line(row: Row, project: Project) -> Line:
    """Tell of a golden test that was promoted, edited, set aside or archived."""
    url = reverse("golden:test", args=[project.slug, row["obj_id"]])
    if row["label"] == "insert":
        return Line(row["title"], "golden test promoted", "", row["content_hash"][:8], url)
    if (row["archived_at"] is None) != (row["archived_before"] is None):
        did = "golden test archived" if row["archived_at"] else "golden test taken back"
        return Line(row["title"], did, "", "", url)
    if row["quarantined_until"] != row["until_before"]:
        before, after = (_until(row[key]) for key in ("until_before", "quarantined_until"))
        did = "golden test set aside" if row["quarantined_until"] else "golden test counts again"
        return Line(row["title"], did, before, after, url)
    if row["content_hash"] != row["hash_before"]:
        before = (row["hash_before"] or "")[:8]
        return Line(row["title"], "golden test edited", before, row["content_hash"][:8], url)
    before = _standing(row["suite_before"], row["critical_before"])
    after = _standing(row["suite"], row["is_critical"])
    if before != after:
        return Line(row["title"], "golden test moved", before, after, url)
    return Line(row["title"], "golden test renamed", "", "", url)


def _until(day: date | None) -> str:
    return f"until {day:%d %b %Y}" if day else ""


def _standing(suite: str, is_critical: bool) -> str:
    return f"{suite}, critical" if is_critical else suite


def policy_line(row: Row, project: Project) -> Line:
    """Tell of rules for what is masked, or for how long sessions are kept."""
    if row["masking"] != row["masking_before"]:
        url = reverse("settings:masking", args=[project.slug])
        before, after = (_kept_readable(row[key]) for key in ("masking_before", "masking"))
        return Line("masking", "rules set", before, after, url)
    url = reverse("settings:retention", args=[project.slug])
    before = _kept_for(row["days_before"], row["labelled_before"])
    return Line(
        "retention", "rule set", before, _kept_for(row["keep_days"], row["keeps_labelled"]), url
    )


def erasure_line(row: Row, project: Project) -> Line:
    """Tell that a person's data was deleted; who it was is not known here."""
    url = reverse("settings:retention", args=[project.slug])
    num = f"{row['num_sessions']:,} sessions, {row['num_spans']:,} steps"
    return Line(f"digest {row['customer_digest'][:12]}", "a person's data deleted", num, "", url)


def price_line(row: Row, project: Project) -> Line:
    """Tell of a price that was set, corrected or taken away."""
    subject = f"{row['pattern']} from {row['starts_on']:%d %b %Y}"
    url = reverse("settings:prices", args=[project.slug])
    now = _price(row["input_usd"], row["output_usd"])
    if row["label"] == "delete":
        return Line(subject, "price taken away", now, "", url)
    if row["label"] == "insert":
        return Line(subject, "price set", "", now, url)
    before = _price(row["input_before"], row["output_before"])
    return Line(subject, "price corrected", before, now, url)


def member_line(row: Row, project: Project) -> Line:
    """Tell of a member who came, changed role or left."""
    subject = row["user__name"] or row["user__email"] or "a person without an account"
    url = reverse("settings:index", args=[project.slug])
    role = Role(row["role"]).label
    if row["label"] == "delete":
        return Line(subject, "member removed", role, "", url)
    if row["label"] == "insert":
        return Line(subject, "member added", "", role, url)
    before = Role(row["role_before"]).label if row["role_before"] else ""
    return Line(subject, "role", before, role, url)


def key_line(row: Row, project: Project) -> Line:
    """Tell of an API key that was made or revoked."""
    subject = f"{row['name']} ({row['prefix']}…)"
    url = reverse("settings:keys", args=[project.slug])
    if row["label"] == "insert":
        return Line(subject, "API key made", "", "", url)
    is_revoked = row["revoked_at"] is not None and row["revoked_before"] is None
    return Line(subject, "API key revoked" if is_revoked else "API key changed", "", "", url)


def label_line(row: Row, project: Project) -> Line:
    """Tell of a label that was completed, reopened or revised."""
    url = reverse("sessions:detail", args=[project.slug, row["session_id"]])
    if row["completed_at"] is None:
        did = "label reopened" if row["completed_before"] else "label drafted"
    else:
        did = "label revised" if row["completed_before"] else "label completed"
    before, after = row["outcome_before"] or "", row["outcome"] or "no outcome"
    subject = row["session__title"] or "a session"
    return Line(subject, did, before.replace("_", " "), after.replace("_", " "), url)


def _version(number: int | None) -> str:
    return f"v{number}" if number else "no version"


def _kept_readable(masking: dict[str, bool] | None) -> str:
    """Return the kinds that are not masked."""
    off = [kind.plural for kind in KINDS if not (masking or {}).get(kind.key, True)]
    return f"not masked: {', '.join(off)}" if off else "everything masked"


def _kept_for(days: int | None, keeps_labelled: bool | None) -> str:
    if days is None:
        return "everything kept"
    return f"kept {days:,} days{', labelled for ever' if keeps_labelled else ''}"


def _price(input_usd: Decimal, output_usd: Decimal) -> str:
    return f"${input_usd.normalize():f} in, ${output_usd.normalize():f} out"
