"""The filter language of the session list: read, written back, and as a query.

`tool:refund cost>0.10 -outcome:resolved "exact words" refund` finds sessions that called the tool
refund, cost over 10 cents, nobody called resolved, and in which both texts were said. Several
values (`status:failed,cancelled`) mean any of them, `-` turns a term around, `*` stands for any
letters.
"""

from traces.search.conditions import apply
from traces.search.fields import FIELDS, Field, Kind, field_named
from traces.search.language import Problem, Query, Term, Word, parse
from traces.search.words import search_query

__all__ = [
    "FIELDS",
    "Field",
    "Kind",
    "Problem",
    "Query",
    "Term",
    "Word",
    "apply",
    "field_named",
    "parse",
    "search_query",
]
