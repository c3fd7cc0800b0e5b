from dataclasses import dataclass

import pytest

from scanner.openai_api.spacing import Spacing


@dataclass
class Bucket:
    """A token bucket: `rate` tokens per second, at most `size` saved."""

    rate: float
    size: float
    tokens: float
    filled_at: float = 0.0

    def admits(self, now: float) -> bool:
        self.tokens = min(self.size, self.tokens + (now - self.filled_at) * self.rate)
        self.filled_at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


def ask(bucket: Bucket, requests: int) -> tuple[float, int]:
    """Send requests until enough were accepted; return the seconds and the refusals."""
    spacing, now, refused, done = Spacing(0.0), 0.0, 0, 0
    while done < requests:
        now = max(now, spacing.next_start)
        spacing.started(now)
        if bucket.admits(now):
            done += 1
        else:
            refused += 1
            spacing.refused(now, is_first=True)
            now += 1 / bucket.rate
    return now, refused


@pytest.mark.parametrize("rate", [2.0, 50.0, 300.0])
@pytest.mark.parametrize("saved", [1.0, 10.0])
def test_it_finds_an_unknown_rate_with_few_refusals(rate: float, saved: float) -> None:
    size = max(1.0, rate * saved)
    seconds, refused = ask(Bucket(rate=rate, size=size, tokens=size), 3000 + int(size))
    assert 0.95 * rate * seconds <= 3000
    assert refused < 0.02 * 3000


def test_until_it_is_refused_only_half_a_thousandth_of_a_second_lies_between_two() -> None:
    spacing = Spacing(0.0)
    starts = []
    for _ in range(3):
        starts.append(spacing.next_start)
        spacing.started(spacing.next_start)
    assert starts == pytest.approx([0.0, 0.0005, 0.001], rel=0.04)


def test_one_burst_of_refusals_counts_once() -> None:
    spacing = Spacing(0.0)
    for number in range(100):
        spacing.started(number / 100)
    spacing.refused(1.0, is_first=True)
    once = spacing.rate(1.0)
    spacing.refused(1.0, is_first=False)
    assert spacing.rate(1.0) == once == pytest.approx(0.97 * 99)


def test_after_a_lull_it_grows_back_ever_faster() -> None:
    spacing = Spacing(0.0)
    for number in range(100):
        spacing.started(number / 100)
    spacing.refused(1.0, is_first=True)
    rates = [spacing.rate(1.0 + seconds) for seconds in (0, 2, 20, 60, 600)]
    assert rates == sorted(rates)
    assert rates[2] > 1.9 * rates[0]
    assert rates[-1] == 2000.0


def test_with_every_request_refused_one_starts_each_second() -> None:
    spacing, now = Spacing(0.0), 0.0
    for _ in range(30):
        spacing.started(now)
        spacing.refused(now, is_first=True)
        now += 0.01
    assert 0.97 <= spacing.rate(now) <= 1.0
