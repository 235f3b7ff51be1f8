"""Writing judges and their versions. A written version is never changed: an edit makes the next."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pghistory
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Max
from django.utils.text import slugify

from agents.config import content_hash
from agents.errors import JudgeError
from agents.judges.ask import stop_asking
from agents.models import Agent, Judge, JudgeVersion
from agents.tools.autonomy import database_now
from traces.clean import clean_json, clean_text
from traces.label_sets import ensure_label_set, questions_of
from traces.models import Project

LONGEST_RUBRIC = 20_000
LONGEST_NAME = 120
LONGEST_NOTE = 500
LONGEST_REASON = 500
MOST_VERDICTS = 9
LONGEST_KEY = 80
_LONGEST_PARAMETERS = 4_000
# What the desk says itself in every call.
_OWN_PARAMETERS = {"model", "messages", "stream", "n", "tools", "tool_choice"}


@dataclass(frozen=True)
class Rubric:
    """What a version consists of.

    Attributes:
        verdicts: `[{key, title, passes: bool | None}]`.
        model_base_url: Empty is the desk's own endpoint; else that of one of the project's agents,
            so that a rubric never sends sessions to a new place.
        parameters: Sent to the model as they are.
    """

    text: str
    model: str
    verdicts: Sequence[dict[str, Any]]
    model_base_url: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)


def create_judge(
    *,
    project: Project,
    name: str,
    question: str,
    passes: Sequence[str],
    rubric: Rubric,
    note: str = "",
    by: AbstractBaseUser,
) -> JudgeVersion:
    """Make a judge with its first version, which is returned.

    Args:
        project: Whose sessions it judges.
        name: Unique in the project, by its slug.
        question: Key of a question of the label set that people answer alike, or empty.
        passes: The answers to it that mean "pass".
        rubric: Of the first version.
        note: What is special about it.
        by: Its author.

    Raises:
        JudgeError: Something is missing, unknown, too long or taken.
    """
    name = " ".join(clean_text(name).split())
    slug = slugify(name)[:80]
    if not name or not slug:
        raise JudgeError("Give the judge a name with letters: what it judges.")
    if len(name) > LONGEST_NAME:
        raise JudgeError(f"The name has {len(name)} characters; {LONGEST_NAME} at most.")
    known = _checked_answers(project, question, passes)
    with transaction.atomic(), pghistory.context(user=by.pk, action="create judge"):
        Project.objects.select_for_update().get(pk=project.pk)
        if Judge.objects.filter(project=project, slug=slug).exists():
            raise JudgeError(f"There is a judge {slug!r} already; write its next version instead.")
        judge = Judge.objects.create(
            project=project,
            slug=slug,
            name=name,
            question=question,
            passes=known,
            created_by_id=by.pk,
        )
        return write_judge_version(judge=judge, rubric=rubric, note=note, by=by)


def write_judge_version(
    *, judge: Judge, rubric: Rubric, note: str = "", by: AbstractBaseUser
) -> JudgeVersion:
    """Write the judge's next version; the same content again is the version that exists.

    A new version has been measured by nothing: it is advisory until it was asked about labelled
    sessions.

    Raises:
        JudgeError: The rubric cannot be used, or the judge is archived.
    """
    content = _checked(judge, rubric)
    note = clean_text(note).strip()
    if len(note) > LONGEST_NOTE:
        raise JudgeError(f"The note has {len(note)} characters; {LONGEST_NOTE} at most.")
    with transaction.atomic():
        locked = Judge.objects.select_for_update().get(pk=judge.pk)
        if locked.archived_at:
            raise JudgeError(f"The judge {locked} is archived; it gets no new version.")
        digest = content_hash(content)
        known = locked.versions.filter(content_hash=digest).first()
        if known is not None:
            return known
        highest = locked.versions.aggregate(highest=Max("number"))["highest"] or 0
        return JudgeVersion.objects.create(
            judge=locked,
            number=highest + 1,
            content_hash=digest,
            note=note,
            author_id=by.pk,
            **content,
        )


def archive_judge(*, judge: Judge, reason: str, by: AbstractBaseUser) -> Judge:
    """Put a judge away: what it was asked and has not judged is taken back, and it gates no more.

    Raises:
        JudgeError: It is archived already, or the reason is missing or too long.
    """
    reason = clean_text(reason).strip()
    if not 0 < len(reason) <= LONGEST_REASON:
        raise JudgeError(f"Say why the judge is put away, in {LONGEST_REASON} characters at most.")
    with (
        transaction.atomic(),
        pghistory.context(user=by.pk, action="archive judge", reason=reason),
    ):
        locked = Judge.objects.select_for_update().get(pk=judge.pk)
        if locked.archived_at:
            raise JudgeError(f"The judge {locked} is archived already.")
        locked.archived_at = database_now()
        locked.save(update_fields=["archived_at"])
        for version in locked.versions.all():
            stop_asking(version=version, by=by)
    return locked


def _checked_answers(project: Project, question: str, passes: Sequence[str]) -> list[str]:
    if not question:
        return []
    known = {each.key: each for each in questions_of(ensure_label_set(project))}
    if question not in known:
        raise JudgeError(f"People are not asked {question!r}; choose one of {', '.join(known)}.")
    keys = [choice.key for choice in known[question].choices]
    wrong = [answer for answer in passes if answer not in keys]
    if wrong:
        raise JudgeError(f"{wrong[0]!r} is no answer to {known[question].title!r}.")
    if not passes or len(set(passes)) == len(keys):
        raise JudgeError(
            f"Choose which answers to {known[question].title!r} mean “pass”: one at least, not all."
        )
    return [key for key in keys if key in passes]


def _checked(judge: Judge, rubric: Rubric) -> dict[str, Any]:
    """Return a version's content in its stored form."""
    text = clean_text(rubric.text.replace("\r\n", "\n")).strip()
    model = clean_text(rubric.model).strip()
    if not text:
        raise JudgeError("The rubric is empty: say what passes and what fails.")
    if len(text) > LONGEST_RUBRIC:
        raise JudgeError(f"The rubric has {len(text):,} characters; {LONGEST_RUBRIC:,} at most.")
    if not 0 < len(model) <= 200:
        raise JudgeError("Name the model, in 200 characters at most.")
    own = {agent.model_base_url for agent in Agent.objects.filter(project=judge.project_id)}
    if rubric.model_base_url and rubric.model_base_url not in own:
        raise JudgeError(
            f"{rubric.model_base_url!r} is no endpoint of one of the project's agents; a judge "
            "asks the desk's own or one of theirs."
        )
    return {
        "rubric": text,
        "model": model,
        "model_base_url": rubric.model_base_url,
        "parameters": _checked_parameters(rubric.parameters),
        "verdicts": _checked_verdicts(rubric.verdicts),
    }


def _checked_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    if own := sorted(_OWN_PARAMETERS & parameters.keys()):
        raise JudgeError(f"The parameter {own[0]!r} is the desk's to set; leave it out.")
    clean: dict[str, Any] = clean_json(parameters)
    if len(json.dumps(clean)) > _LONGEST_PARAMETERS:
        raise JudgeError(f"The parameters have over {_LONGEST_PARAMETERS:,} characters.")
    return clean


def _checked_verdicts(verdicts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    found = [
        {
            "key": slugify(str(each.get("key") or each.get("title", "")))[:LONGEST_KEY],
            "title": clean_text(str(each.get("title") or each.get("key", ""))).strip()[:120],
            "passes": each.get("passes"),
        }
        for each in verdicts
    ]
    keys = [each["key"] for each in found]
    if not all(keys) or len(set(keys)) < len(keys):
        raise JudgeError("Each verdict needs a name of its own.")
    if len(found) > MOST_VERDICTS:
        raise JudgeError(f"There are {len(found)} verdicts; {MOST_VERDICTS} at most.")
    if any(each["passes"] not in (True, False, None) for each in found):
        raise JudgeError("A verdict means pass, fail, or neither.")
    if {True, False} - {each["passes"] for each in found}:
        raise JudgeError("One verdict at least must mean “pass” and one “fail”.")
    return found
