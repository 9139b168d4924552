"""What was measured: the facts that the table, its files and its readers share.

In: nothing. Out: types only.
"""

from dataclasses import dataclass

from pipeline.evaluate import metrics

Thresholds = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of one method in one trial."""

    trial: str
    method: str
    figure: str
    value: float
    low: float
    high: float
    """Interval of 95 % over groups of places."""
    ahead: float
    """The first method's figure minus this one; 0 for the first."""
    ahead_low: float
    ahead_high: float
    """Of the same draws of places."""
    groups: int
    """Groups of places; with fewer than two the intervals are NaN."""


@dataclass(frozen=True, slots=True)
class Results:
    """Everything measured."""

    rows: tuple[Row, ...]
    thresholds: Thresholds
    """Method to name of the threshold to its value."""
    curves: dict[str, dict[str, metrics.Curve]]
    """Trial to method to its curve, of the trials with labelled pixels."""
    reliabilities: dict[str, dict[str, metrics.Reliability]]
    """Trial to method, of methods that claim probabilities."""
    seed: int

    def value(self, trial: str, method: str, figure: str) -> float:
        """One figure.

        Raises:
            KeyError: it was not measured.
        """
        for row in self.rows:
            if (row.trial, row.method, row.figure) == (trial, method, figure):
                return row.value
        raise KeyError(f"{trial}, {method}, {figure}")
