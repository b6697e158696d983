"""The pace of a run: its learning rate over steps, and where its time goes."""

import time

from isometry import distributed
from isometry.schedules import Schedule


def share_of_rate(schedule: Schedule, step: int, total: int, warmup: float, epoch: int) -> float:
    """Share of the rate at a step: rises linearly over `warmup` of the budget, then goes on by the schedule."""
    rise = max(1, round(warmup * total))
    if step < rise:
        return (step + 1) / rise
    return schedule.share(step - rise, total - rise, epoch)


class Clock:
    """Time of the loop: all of it, and how much went into waiting for data."""

    def __init__(self, before: float):
        self.before, self.start, self.waited, self.images = before, time.perf_counter(), 0.0, 0
        self.mark, self.since = self.start, (self.start, 0.0, 0)

    def wait(self) -> None:
        self.mark = time.perf_counter()

    def go(self, images: int) -> None:
        self.waited += time.perf_counter() - self.mark
        self.images += images * distributed.ranks()

    def restart(self) -> None:
        self.since = (time.perf_counter(), self.waited, self.images)

    def total(self) -> float:
        return self.before + time.perf_counter() - self.start

    def rates(self) -> dict[str, float]:
        now = time.perf_counter()
        passed = max(1e-9, now - self.since[0])
        found = {
            "images_per_second": round((self.images - self.since[2]) / passed, 1),
            "data_wait": round((self.waited - self.since[1]) / passed, 4),
        }
        self.restart()
        return found
