"""The first sentence of a version's and a release's page. Pure functions."""

from dataclasses import dataclass

from agents.gate.decision import Decision
from agents.models import EvalRun, Gate, Release, Version
from agents.releases.proof import Move, TestMove
from reviewdesk.screens.golden.sentence import gate_sentence
from reviewdesk.screens.releases.gates import VersionGate
from reviewdesk.screens.releases.reading import VersionRow


@dataclass(frozen=True)
class Verdict:
    """A sentence, what it rests on, and how it is to be taken.

    Attributes:
        kind: good, warn, bad or info.
        icon: In the sprite.
    """

    kind: str
    icon: str
    sentence: str
    detail: str


def release_verdict(
    release: Release, moves: tuple[TestMove, ...], *, void_because: str, before: Version | None
) -> Verdict:
    """Say where a release stands; for one that waits, what its evidence says."""
    version = release.version
    status = Release.Status(release.status)
    if status is Release.Status.WAITING:
        return _waiting_verdict(release, moves, void_because=void_because, before=before)
    if status is Release.Status.VOID:
        detail = f"{release.decision_reason} Run the golden tests again and request it again."
        return Verdict("bad", "alert-triangle", f"Void: {version} did not go live.", detail)
    if status is Release.Status.REFUSED:
        sentence = f"Refused: {version} did not go live."
        return Verdict("bad", "circle-x", sentence, _said(release))
    if status is Release.Status.WITHDRAWN:
        sentence = f"Withdrawn: {version} did not go live."
        return Verdict("info", "arrow-back-up", sentence, _said(release))
    return _went_live_verdict(release)


def version_verdict(
    row: VersionRow,
    *,
    num_tests: int,
    void_because: str,
    refused: str = "",
    gate: VersionGate | None = None,
) -> Verdict:
    """Say what a version is and what is known about it.

    `refused` is why its newest eval run, which passed, is no evidence by itself.
    """
    version, evaluated = row.version, row.evaluated
    if row.state == "live":
        return _live_verdict(row)
    if row.state == "waiting":
        sentence = f"{version} waits for approval."
        return Verdict("info", "hourglass", sentence, "")
    if not num_tests:
        sentence = f"Nothing but reading proves {version}: the agent has no golden test."
        return Verdict("warn", "alert-triangle", sentence, "Promote a failed session to make one.")
    if gate and (gate.is_proof or gate.gate.status == Gate.Status.RUNNING):
        return _of_gate(gate.gate, gate.decision)
    if evaluated is None:
        sentence = f"{version} is not tested yet."
        detail = f"{_count(num_tests, 'golden test')} of this agent would be run."
        return Verdict("info", "test-pipe", sentence, detail)
    if void_because:
        sentence = f"The evidence for {version} is void."
        return Verdict("warn", "alert-triangle", sentence, f"Since its eval run: {void_because}.")
    if refused:
        sentence = f"{version} passes its golden tests, but its release cannot be requested."
        return Verdict("bad", "circle-x", sentence, refused)
    detail = f"{evaluated.num_passed} of {evaluated.num_repeats} repeats passed."
    return _evaluated_verdict(version, EvalRun.Status(evaluated.run.status), detail)


def _of_gate(gate: Gate, decision: Decision | None) -> Verdict:
    said = gate_sentence(gate, decision)
    if gate.status != Gate.Status.INCONCLUSIVE:
        return Verdict(said.kind, said.icon, said.text, said.detail)
    sentence = "The gate did not decide, a person does: " + said.text
    return Verdict("warn", "user-question", sentence, said.detail)


def _live_verdict(row: VersionRow) -> Verdict:
    version, evaluated = row.version, row.evaluated
    if evaluated is None or evaluated.run.status != EvalRun.Status.FAILED:
        return Verdict("good", "circle-check", f"{version} is live.", "")
    detail = f"{evaluated.num_passed} of {evaluated.num_repeats} repeats passed in its newest run."
    return Verdict("warn", "alert-triangle", f"{version} is live, and fails golden tests.", detail)


def _evaluated_verdict(version: Version, status: EvalRun.Status, detail: str) -> Verdict:
    if status is EvalRun.Status.PASSED:
        sentence = f"{version} passes its golden tests: its release can be requested."
        return Verdict("good", "circle-check", sentence, detail)
    if status is EvalRun.Status.RUNNING:
        return Verdict("info", "loader-2", f"The golden tests of {version} are running.", detail)
    if status is EvalRun.Status.FAILED:
        return Verdict("bad", "circle-x", f"{version} fails golden tests.", detail)
    if status is EvalRun.Status.INCONCLUSIVE:
        sentence = f"{version} fails no golden test, but not every one has a verdict."
        return Verdict("warn", "alert-triangle", sentence, detail)
    sentence = f"The eval run of {version} says nothing: it is {status.label}."
    return Verdict("info", "ban", sentence, detail)


def _waiting_verdict(
    release: Release, moves: tuple[TestMove, ...], *, void_because: str, before: Version | None
) -> Verdict:
    version = release.version
    if void_because:
        sentence = f"The evidence for {version} does not hold any more: it cannot be approved."
        since = "gate" if release.gate else "eval run"
        return Verdict("bad", "alert-triangle", sentence, f"Since its {since}: {void_because}.")
    if release.gate is not None:
        result = release.gate.result
        return _of_gate(release.gate, Decision.from_json(result) if result else None)
    if release.eval_run is None:
        sentence = f"Nothing but reading proves {version}."
        return Verdict("warn", "alert-triangle", sentence, release.evidence_note)
    num = {move: sum(each.move is move for each in moves) for move in Move}
    worse = num[Move.BROKEN] + num[Move.WORSE]
    detail = _repeats(moves) + _since(release.eval_run)
    if worse and before:
        sentence = f"Passed, but {_count(worse, 'golden test')} got worse than under {before}."
        return Verdict("warn", "alert-triangle", sentence, detail)
    gain = ""
    if before and num[Move.BETTER]:
        gain = f", {num[Move.BETTER]} better than under {before} and none worse"
    elif before and num[Move.SAME]:
        gain = f", none worse than under {before}"
    sentence = f"Passed: {_count(len(moves), 'golden test')}{gain}."
    return Verdict("good", "circle-check", sentence, detail)


def _went_live_verdict(release: Release) -> Verdict:
    version, when = release.version, release.decided_at
    day = f" on {when:%a %d %b, %H:%M} UTC" if when else ""
    if release.kind == Release.Kind.ROLLBACK:
        how = f"{release.requested_by} rolled back to it{day}: {release.reason}"
    else:
        said = f": {release.decision_reason}" if release.decision_reason else "."
        how = f"{release.decided_by} approved it{day}{said}"
    if release.status == Release.Status.LIVE:
        return Verdict("good", "circle-check", f"{version} is live.", how)
    if release.status == Release.Status.ROLLED_BACK:
        return Verdict("warn", "arrow-back-up", f"{version} was live and was rolled back.", how)
    return Verdict("info", "history", f"{version} was live; another version followed.", how)


def _said(release: Release) -> str:
    who = release.decided_by or release.requested_by
    when = f" on {release.decided_at:%a %d %b, %H:%M} UTC" if release.decided_at else ""
    said = f": {release.decision_reason}" if release.decision_reason else "."
    return f"By {who}{when}{said}"


def _repeats(moves: tuple[TestMove, ...]) -> str:
    passed = sum(each.now.num_passed for each in moves)
    judged = sum(each.now.num_judged for each in moves)
    return f"{passed} of {judged} repeats passed"


def _since(run: EvalRun) -> str:
    ended = run.finished_at
    return f" in eval run {run.pk}, {ended:%a %d %b, %H:%M} UTC." if ended else "."


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
