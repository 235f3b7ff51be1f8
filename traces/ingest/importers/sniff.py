"""What format a file looks like, for those who chose another one."""

import re

from traces.ingest.importers.source import Source

# Tried in this order; every pattern has to be found in the file's beginning.
_SIGNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("reviewdesk", (r'"format"\s*:\s*"reviewdesk/',)),
    ("otlp", (r'"resource_?[sS]pans"\s*:',)),
    ("atif", (r'"schema_version"\s*:\s*"ATIF-v',)),
    ("agentdojo", (r'"suite_name"\s*:', r'"pipeline_name"\s*:')),
    ("taubench", (r'"traj"\s*:', r'"reward"\s*:')),
    ("tau2", (r'"(simulations|agent_info)"\s*:', r'"(info|tasks|user_info)"\s*:')),
    ("inspect", (r'"eval"\s*:', r'"(plan|eval_id|run_id|task_id)"\s*:')),
    ("langfuse", (r'"(observations|traceId|traceparent)"\s*:',)),
    ("openai", (r'"(messages|choices|custom_id|response|input)"\s*:',)),
)


def format_of(source: Source) -> str:
    """Return the name of the format, empty where it looks like none."""
    if source.is_zip:
        return "inspect"
    for name, signs in _SIGNS:
        if all(re.search(sign, source.head) for sign in signs):
            return name
    return ""
