"""The demo's gates: a step back that failed, and the candidate's, on which its release rests."""

from datetime import datetime, timedelta

from django.contrib.auth.base_user import AbstractBaseUser

from agents.gate.config import GateConfig
from agents.gate.policy import approve_policy, propose_policy
from agents.gate.run import settle_gates, start_gate
from agents.golden.runner import settle_finished
from agents.models import EvalResult, EvalRun, Gate, GatePolicy, Version
from agents.runtime.loop import advance
from traces.models import Project

_SEED = 20261121
_RULES = GateConfig(margin_points=10, looks=(3, 6))
_WHY = (
    "Eight tests cannot rule out a drop of 5 points in a few repeats. 10 points until there are "
    "thirty tests."
)


def set_rules(
    *, project: Project, engineer: AbstractBaseUser, lead: AbstractBaseUser
) -> GatePolicy:
    """Let the engineer propose the rules for a small suite, and the lead approve them."""
    policy = propose_policy(project=project, config=_RULES, reason=_WHY, by=engineer)
    return approve_policy(policy=policy, by=lead, reason="Until thirty, and not a day longer.")


def run_gate(
    *, candidate: Version, baseline: Version, by: AbstractBaseUser, started_at: datetime
) -> Gate:
    """Run a gate to its end in this process, and date it back."""
    gate = start_gate(candidate=candidate, baseline=baseline, seed=_SEED, by=by)
    arms = [gate.candidate_run_id, gate.baseline_run_id]
    # Each look may ask for confirming re-runs once.
    for _ in range(2 * len(_RULES.looks)):
        waiting = EvalResult.objects.filter(
            eval_run__in=arms, status=EvalResult.Status.PENDING, run__isnull=False
        )
        for run_id in waiting.order_by("repeat", "pk").values_list("run_id", flat=True):
            advance(run_id)
        settle_finished()
        settle_gates()
    ended = started_at + timedelta(minutes=3)
    Gate.objects.filter(pk=gate.pk).update(created_at=started_at, finished_at=ended)
    EvalRun.objects.filter(pk__in=arms).update(created_at=started_at, finished_at=ended)
    return Gate.objects.select_related("candidate_run__version", "baseline").get(pk=gate.pk)
