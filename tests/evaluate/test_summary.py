import dataclasses

from pipeline.evaluate import summary
from pipeline.evaluate.results import Results, Row

OURS = Row("czech", "ours", "AP", 0.92, 0.90, 0.94, 0.0, 0.0, 0.0, 14)
PEER = Row("czech", "peer", "AP", 0.89, 0.85, 0.91, 0.03, 0.01, 0.06, 14)
ALARMS = ("quiet places together", "alerts at 50% of clearings")


def _text(*rows: Row) -> str:
    return summary.text(Results(rows, {}, {}, {}, 0))


def test_text_row_per_method_and_lead_with_its_interval():
    lines = _text(OURS, PEER).splitlines()
    assert lines[0].split() == ["AP", "czech"]
    assert lines[1].split() == ["ours", "0.920"]
    assert lines[2].split() == ["peer", "0.890"]
    assert "  ours              0.920 [0.900, 0.940]" in lines
    assert "  peer              0.890 [0.850, 0.910]    ours ahead by 0.030 [0.010, 0.060]" in lines


def test_text_method_that_is_behind_says_by_how_much():
    better = dataclasses.replace(PEER, value=0.93, ahead=-0.01, ahead_low=-0.03, ahead_high=0.02)
    assert "ours behind by 0.010 [-0.020, 0.030]" in _text(OURS, better)


def test_text_fewer_false_alerts_are_ahead():
    ours, peer = (dataclasses.replace(row, trial=ALARMS[0], figure=ALARMS[1]) for row in (OURS, PEER))
    ours = dataclasses.replace(ours, value=100.0, low=50.0, high=120.0)
    peer = dataclasses.replace(peer, value=300.0, low=200.0, high=400.0, ahead=-200.0, ahead_low=-320.0, ahead_high=-90)
    assert "ours ahead by 200 [90, 320]" in _text(ours, peer)


def test_text_figures_that_were_not_measured_are_left_out():
    lonely = dataclasses.replace(OURS, method="third", figure="AUC")
    assert _text(OURS, lonely).splitlines()[2].rstrip() == "third"
    assert "AUC amazon" not in _text(OURS, lonely)


def test_text_long_names_stand_apart_from_their_figures():
    long = dataclasses.replace(OURS, method="vanwatch-s-simulated")
    lines = _text(long, PEER).splitlines()
    assert lines[1].split() == ["vanwatch-s-simulated", "0.920"]
    assert [line.index(".") for line in lines[1:3]] == [line.index(".") for line in lines[1:2]] * 2
    assert any(line.split()[:2] == ["vanwatch-s-simulated", "0.920"] for line in lines[3:])


def test_text_what_the_places_hold_nothing_of_is_told_once_and_nobody_is_behind():
    nothing = {"value": float("nan"), "ahead": float("nan")}
    text = _text(*(dataclasses.replace(row, **nothing) for row in (OURS, PEER)))
    assert "not measured: these places hold nothing of it" in text
    assert "behind" not in text
    assert "nan" not in text
