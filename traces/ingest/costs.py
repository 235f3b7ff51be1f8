"""What a model call costs where its source does not say: from the project's price table."""

from traces.ingest.checks import MAX_COST_USD
from traces.pricing import PriceTable
from traces.records import SpanRecord, from_ns


def with_cost(span: SpanRecord, prices: PriceTable) -> SpanRecord:
    """Return the span with its computed cost; as it is where that is reported or unknown."""
    if span.cost_usd is not None or not span.model:
        return span
    cost = prices.cost(
        model=span.model,
        input_tokens=span.input_tokens,
        output_tokens=span.output_tokens,
        cached_tokens=span.cached_tokens,
        reasoning_tokens=span.reasoning_tokens,
        at=from_ns(span.start_ns).date(),
    )
    if cost is None or cost >= MAX_COST_USD:
        return span
    # A tenth of the time that `replace` takes over all the fields.
    priced = object.__new__(SpanRecord)
    priced.__dict__.update(span.__dict__, cost_usd=cost, cost_from="computed")
    return priced
