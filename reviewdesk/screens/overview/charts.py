"""The Overview's charts as plotly figures, and the table with the same numbers. Pure functions.

Colours are names of the desk's tokens (`var(--desk-…)`); `static/js/charts.js` puts the theme's
values in their place, so that a figure fits light and dark.
"""

import json
from dataclasses import dataclass
from datetime import date
from typing import Any

import plotly.graph_objects as go

from reviewdesk.kpis.estimates import Estimate
from reviewdesk.kpis.measure import SUCCESS, Week
from reviewdesk.kpis.period import Period
from reviewdesk.kpis.tiles import Tile
from reviewdesk.screens.overview.plots import FAILED, about_rate, unbroken_runs

INK, INK_2, INK_3 = "var(--desk-ink)", "var(--desk-ink-2)", "var(--desk-ink-3)"
LINE, CONTROL, ACCENT = "var(--desk-line)", "var(--desk-control)", "var(--desk-accent)"
WARN, BAD, CLEAR = "var(--desk-warn)", "var(--desk-bad)", "rgba(0,0,0,0)"


@dataclass(frozen=True)
class ChartRow:
    """A week in the table beside the charts."""

    first_day: date
    last_day: date
    success: Estimate
    num_sessions: int
    num_labelled: int
    num_resolved: int
    num_partly: int
    num_failed: int

    @property
    def num_unlabelled(self) -> int:
        """Return the sessions that nobody has labelled."""
        return self.num_sessions - self.num_labelled


def chart_rows(weeks: list[Week], success: Tile, period: Period) -> list[ChartRow]:
    """Return the numbers of both charts, newest week first."""
    rows = [
        ChartRow(
            first_day=first,
            last_day=last,
            success=estimate,
            num_sessions=week.num_sessions,
            num_labelled=week.num_labelled,
            num_resolved=week.num_resolved,
            num_partly=week.outcomes["partly"],
            num_failed=sum(week.outcomes[outcome] for outcome in FAILED),
        )
        for week, estimate, (first, last) in zip(weeks, success.weeks, period.weeks, strict=True)
    ]
    return rows[::-1]


def success_figure(success: Tile, period: Period) -> str:
    """Return the weekly rate with its 95 % band and the target, as plotly's JSON."""
    days = [last.isoformat() for _, last in period.weeks]
    known = [each for each in success.weeks if each.value is not None]
    figure = _empty_figure()
    # A band ends where a week has too little data, so that it never bridges what is not known.
    for run in unbroken_runs(success.weeks):
        part, around = success.weeks[run.start : run.stop], days[run.start : run.stop]
        highs = [100 * each.interval.high for each in part if each.interval]
        lows = [100 * each.interval.low for each in part if each.interval]
        figure.add_scatter(
            x=around + around[::-1],
            y=highs + lows[::-1],
            fill="toself",
            fillcolor="var(--desk-band)",
            line={"width": 0 if len(part) > 1 else 6, "color": "var(--desk-band)"},
            mode="lines",
            hoverinfo="skip",
        )
    values = [None if each.value is None else 100 * each.value for each in success.weeks]
    figure.add_scatter(
        x=days,
        y=values,
        mode="lines+markers",
        line={"color": INK_2, "width": 1.5},
        marker={"size": 6, "color": [INK_2] * (len(days) - 1) + [ACCENT]},
        customdata=[about_rate(each) for each in success.weeks],
        hovertemplate="%{customdata}<extra></extra>",
    )
    target = 100 * success.kpi.target
    figure.add_hline(y=target, line={"color": INK_3, "width": 1.5, "dash": "dash"})
    figure.add_annotation(
        xref="paper",
        x=1,
        y=target,
        xanchor="right",
        yanchor="bottom",
        text=f"target {target:.0f} %",
        showarrow=False,
        font={"color": INK_3, "size": 11},
    )
    lowest = min((100 * each.interval.low for each in known if each.interval), default=50.0)
    figure.update_layout(_layout(days))
    figure.update_yaxes(range=[max(min(lowest, target) - 6, -2), 102], ticksuffix=" %")
    return _to_json(figure)


def outcome_figure(weeks: list[Week], period: Period) -> str:
    """Return the sessions of each week, stacked by outcome, as plotly's JSON."""
    days = [last.isoformat() for _, last in period.weeks]
    series = [
        ("resolved", [week.outcomes[SUCCESS] for week in weeks], CONTROL, ""),
        ("partly", [week.outcomes["partly"] for week in weeks], WARN, "."),
        ("failed", [sum(week.outcomes[key] for key in FAILED) for week in weeks], BAD, "/"),
        ("not labelled", [week.num_sessions - week.num_labelled for week in weeks], LINE, ""),
    ]
    figure = _empty_figure()
    for name, values, color, shape in series:
        pattern = {"shape": shape, "fgcolor": color, "bgcolor": "var(--desk-surface)", "size": 5}
        figure.add_bar(
            x=days,
            y=values,
            name=name,
            marker={
                "color": color,
                "line": {"width": 1 if shape else 0, "color": color},
                **({"pattern": pattern} if shape else {}),
            },
            hovertemplate=f"%{{y}} {name}<extra></extra>",
        )
    figure.update_layout(_layout(days), barmode="stack", bargap=0.35, showlegend=True)
    figure.update_layout(
        legend={"orientation": "h", "x": 0, "y": 1.16, "font": {"color": INK_2, "size": 12}}
    )
    return _to_json(figure)


def _layout(days: list[str]) -> dict[str, Any]:
    labels = [f"{date.fromisoformat(day).day} {date.fromisoformat(day):%b}" for day in days]
    return {
        "template": "none",
        "margin": {"l": 40, "r": 8, "t": 28, "b": 28},
        "height": 220,
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "showlegend": False,
        "font": {"color": INK_3, "size": 11, "family": "inherit"},
        "hoverlabel": {
            "bgcolor": "var(--desk-surface)",
            "bordercolor": "var(--desk-control)",
            "font": {"color": INK},
        },
        "xaxis": {
            "type": "category",
            "categoryorder": "array",
            "categoryarray": days,
            "tickvals": days[1::2],
            "ticktext": labels[1::2],
            "showgrid": False,
            "zeroline": False,
            "linecolor": LINE,
            "fixedrange": True,
        },
        "yaxis": {
            "gridcolor": LINE,
            "zeroline": False,
            "nticks": 5,
            "fixedrange": True,
            "rangemode": "tozero",
        },
    }


def _empty_figure() -> Any:
    return go.Figure()  # type: ignore[attr-defined, no-untyped-call]


def _to_json(figure: Any) -> str:
    return json.dumps(json.loads(figure.to_json()), separators=(",", ":"))
