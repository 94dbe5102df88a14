"""Alpha, beta and gamma that meet a constraint, as a table, best first."""

from __future__ import annotations

from edgeffnet import cost
from edgeffnet.grid.search import Ranking, Scored
from edgeffnet.report.console import open_console, plain_table


def show(ranking: Ranking) -> None:
    """Prints the candidates, and what their scores rest on."""
    console = open_console(width=160)
    constraint, base = ranking.constraint, ranking.network.at(None)
    console.print(
        f"{ranking.network.family}, width {base.width:g}, depth {base.depth:g}, {base.resolution} pixels at phi 0; "
        f"at phi 1 {constraint.target:g} times as much within {constraint.tolerance:.3g}: {ranking.constrained}",
        markup=False,
    )
    scored = any(one.score or one.failure for one in ranking.candidates)
    table = plain_table()
    for name in ("alpha", "beta", "gamma", "factor", "pixels", "MACs", "parameters"):
        table.add_column(name, justify="right")
    if scored:
        table.add_column("score", justify="right")
        table.add_column("rests on")
    for one in ranking.candidates:
        table.add_row(*_cells(one), *(_score(one) if scored else ()))
    console.print(table)
    if ranking.resumed:
        console.print(f"- {ranking.resumed} findings are of an earlier run that was interrupted", markup=False)


def _cells(one: Scored) -> tuple[str, ...]:
    found, net = one.candidate, one.candidate.architecture
    costs = cost.total(net)
    return (
        f"{found.triple.alpha:g}",
        f"{found.triple.beta:g}",
        f"{found.triple.gamma:g}",
        f"{found.factor:.2f} {found.kind}",
        str(net.resolution),
        f"{costs.macs / 1e6:,.0f}M (x{found.macs_factor:.2f})",
        f"{costs.parameters / 1e6:.2f}M",
    )


def _score(one: Scored) -> tuple[str, str]:
    if one.score is None:
        return "none", one.failure or ""
    spread = "" if one.score.spread is None else f" +- {one.score.spread:.3g}"
    seeds = f"{one.score.seeds} seed{'s' * (one.score.seeds > 1)}"
    return f"{one.score.value:.4g}{spread}", ", ".join(part for part in (one.score.rests_on, seeds) if part)
