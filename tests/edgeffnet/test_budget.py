"""Quantities with units, and what is refused."""

import pytest

from edgeffnet import Budget
from edgeffnet.budget import count, milliseconds, size_bytes
from edgeffnet.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"), [("50ms", 50.0), ("0.2s", 200.0), (" 1.5 ms ", 1.5), ("750us", 0.75), ("1e-2s", 10.0)]
)
def test_times_become_milliseconds(text: str, expected: float) -> None:
    assert milliseconds(text) == pytest.approx(expected)


@pytest.mark.parametrize(("text", "expected"), [("8MB", 8_000_000), ("8MiB", 8_388_608), ("500kB", 500_000)])
def test_sizes_become_bytes(text: str, expected: int) -> None:
    assert size_bytes(text) == expected


@pytest.mark.parametrize(("text", "expected"), [("400M", 400_000_000), ("1.2G", 1_200_000_000), ("5288548", 5288548)])
def test_counts_become_numbers(text: str, expected: int) -> None:
    assert count(text) == expected


@pytest.mark.parametrize("text", ["50", "50 parsecs", "-3ms", "0ms", "", "ms", "1e999s", "nan ms", "5 0ms"])
def test_times_that_mean_nothing_are_refused_in_one_line_naming_the_option(text: str) -> None:
    with pytest.raises(UsageError, match="--max-latency") as caught:
        milliseconds(text, "--max-latency")
    assert "\n" not in str(caught.value)


def test_budget_takes_text_and_numbers_alike() -> None:
    assert Budget(latency="50ms", size="8MB") == Budget(latency=50.0, size=8_000_000)


@pytest.mark.parametrize("fields", [{"latency": -1.0}, {"size": 0}, {"latency": float("nan")}, {"drop": float("inf")}])
def test_budget_refuses_impossible_numbers(fields: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        Budget(**fields)
