"""Results without a verdict in words: which there are, and what to do about them. Pure.

An infrastructure error (a worker, model or tool failed the run) and a result that is not judged
(the run is whole, and neither a check nor a judge that is trusted decided it) both say nothing
about the agent, and each takes another way out.
"""


def lost_words(num_infra: int, num_not_judged: int) -> str:
    """Return what was lost: "the infrastructure failed 8, and nothing decided 4"; at least one."""
    parts = []
    if num_infra:
        parts.append(f"the infrastructure failed {num_infra:,}")
    if num_not_judged:
        parts.append(f"nothing decided {num_not_judged:,}")
    return ", and ".join(parts)


def lost_way_out(num_infra: int, num_not_judged: int, *, again: str) -> str:
    """Return what to do, as a sentence that ends with `again`: "run the tests again"."""
    parts = []
    if num_infra:
        parts.append("see what failed the runs")
    if num_not_judged:
        parts.append(
            "give the tests that were not judged an exact check, or a judge that is trusted"
        )
    text = f"{'; '.join(parts)}; then {again}."
    return text[0].upper() + text[1:]
