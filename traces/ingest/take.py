"""What is done with the spans and log records of one request."""

from traces.ingest.answers import Outcome
from traces.ingest.append import append_spans
from traces.ingest.dialects import normalise
from traces.ingest.otlp import Decoded
from traces.models import Project


def take_spans(*, project: Project, decoded: Decoded) -> Outcome:
    """Store the spans; committed when it returns. Those that cannot be stored are counted."""
    spans = [normalise(span) for span in decoded.spans]
    counts = append_spans(project=project, spans=spans)
    problems = [each for each in (decoded.problem, *counts.problems) if each]
    return Outcome(decoded.num_rejected + counts.rejected, " ".join(problems))
