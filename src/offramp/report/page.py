"""One self-contained HTML page of a result: no script, no font, no image from elsewhere."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from offramp.errors import MissingDependencyError
from offramp.report.figures import accuracy_against_bytes, confidence, network_colour
from offramp.report.findings import costs_table, findings
from offramp.report.result import Result, accuracy_margin
from offramp.report.table import CHOSEN, COLUMNS, NETWORK_COLUMNS, choice_table

LAYOUT = "layout.html.j2"


def render_page(package: str, template: str = "page.html.j2", **values: Any) -> str:
    """A template of the package with these values; it may extend `layout.html.j2`, which is ours.

    Raises:
        MissingDependencyError: jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, FunctionLoader, StrictUndefined
    except ImportError as error:
        raise MissingDependencyError(
            "the page needs jinja2, which is not installed; run: pip install 'offramp[report]'"
        ) from error

    def source(name: str) -> str:
        return files(__package__ if name == LAYOUT else package).joinpath(name).read_text("utf-8")

    environment = Environment(
        loader=FunctionLoader(source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)


def html_page(result: Result) -> str:
    """The page as text.

    Raises:
        MissingDependencyError: jinja2 or matplotlib is not installed.
    """
    return render_page(
        __package__,
        title=result.title,
        result=result,
        columns=COLUMNS,
        groups=_groups(result),
        network_columns=NETWORK_COLUMNS,
        networks=[[column.cell(network) for column in NETWORK_COLUMNS] for network in result.networks],
        findings=findings(result),
        costs=costs_table(result),
        choice=choice_table(result.choice),
        chosen=CHOSEN,
        accuracy_figure=accuracy_against_bytes(result),
        margin_points=100 * accuracy_margin(result.rows),
        exits=[
            (network, confidence(network, colour=network_colour(result, network.name)))
            for network in result.networks
        ],
        tables={"Settings": _flat(result.settings), "Environment": _flat(result.environment)},
    )


def _groups(result: Result) -> dict[str, list[list[str]]]:
    """The cells of every row, under the name of its network."""
    groups: dict[str, list[list[str]]] = {}
    for row in result.rows:
        groups.setdefault(row.network, []).append([column.cell(row) for column in COLUMNS])
    return groups


def _flat(settings: Mapping[str, Any]) -> dict[str, str]:
    return {key.replace("_", " "): _words(value) for key, value in settings.items()}


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_words, value))
    if isinstance(value, float):
        return f"{value:,.10g}"
    return str(value)
