"""The presentation of figures: order of measurements, table with targets, charts."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.bench.chart import Chart, Line, draw
from tests.bench.measures import MEASUREMENTS, Measurement, Pace
from tests.bench.servers import NODE, PARLEY, Bench, parley, share_cores
from tests.bench.table import ROWS, put_between, table


def test_servers_are_measured_in_alternating_order(tmp_path):
    bench = Bench(share_cores(), tmp_path)
    turns = Measurement(bench, Path(), Pace(rounds=2), print).in_turns(
        {"A": parley(1, 1), "B": parley(1, 1)}
    )
    assert [name for name, _ in turns] == ["A", "B", "B", "A"]


def test_the_table_shows_ratios_and_whether_targets_are_met():
    lines = table(
        {
            "room-200": {PARLEY: [6.0, 8.0], NODE: [10.0]},
            "room-1000": {PARLEY: [8.0], NODE: [10.0]},
            "idle": {PARLEY: [29.5]},
            "back": {PARLEY: [float("inf")]},
        }
    ).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    assert [row[1] for row in cells] == ["7.00 (6.00 to 8.00)", "8.00", "29.5", "not in time"]
    assert [row[-3:] for row in cells] == [
        ["0.70", f"≤ 0.7 of {NODE}", "yes"],
        ["0.80", f"≤ 0.7 of {NODE}", "no"],
        ["–", "≤ 30 KB", "yes"],
        ["–", "≤ 20 s", "no"],
    ]


def test_every_row_of_the_table_has_a_measurement():
    source = (Path(__file__).parent / "measures.py").read_text()
    for row in ROWS:
        assert row.key in MEASUREMENTS or f'"{row.key}"' in source


def test_figures_are_written_between_the_markers_of_a_document():
    page = "before\n<!-- table: begin -->\nold\n<!-- table: end -->\nafter\n"
    written = put_between(page, "table", "new")
    assert written == "before\n<!-- table: begin -->\n\nnew\n\n<!-- table: end -->\nafter\n"
    assert put_between(written, "table", "new") == written
    with pytest.raises(ValueError, match="growth"):
        put_between(page, "growth", "new")


def test_a_chart_is_written_as_a_table_and_as_svg():
    chart = Chart("Cost by <members>", "members", "µs", [Line("a", {10: 1.0, 1_000: 2.5})])
    assert chart.table().splitlines()[-1] == "| a | 1 | 2.5 |"
    picture = ET.fromstring(draw(chart))  # noqa: S314 - our own
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"
    (curve,) = picture.iter("{http://www.w3.org/2000/svg}polyline")
    assert len(curve.attrib["points"].split()) == 2
