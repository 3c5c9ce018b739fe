"""What is needed, hour by hour, where its data is, and how much of it one GPU-hour of an offer serves."""

import math
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from functools import cached_property

from tests.optimizer.reference_rows import spread


@dataclass
class Needs:
    """The demand of a plan; `slots` are the hours of the history, when each is, and how often it counts."""

    usage: list[dict]
    rules: tuple
    slots: list[tuple[datetime, datetime, float]]

    @cached_property
    def horizon_hours(self) -> float:
        return sum(weight for _, _, weight in self.slots)

    @cached_property
    def streams(self) -> dict[tuple, dict[datetime, float]]:
        """Return the demand of each stream (workload, GPU model, bound provider, bound region) by the hour."""
        found: dict[tuple, dict[datetime, float]] = {}
        for row in self.usage:
            needs = found.setdefault(self._stream(row), {})
            for hour, gpus in spread(row):
                needs[hour] = needs.get(hour, 0.0) + gpus
        return found

    def _stream(self, row: dict) -> tuple:
        stays = self.said(row["workload"], "movable") is False
        return (row["workload"], row["gpu_model"], *((row["provider"], row["region"]) if stays else (None, None)))

    def said(self, workload: str, what: str) -> object:
        """Return what the last rule that matches a workload says, None where none does."""
        words = [getattr(rule, what) for rule in self.rules if fnmatchcase(workload, rule.pattern)]
        return next((word for word in reversed(words) if word is not None), None)

    def noted(self, workload: str, what: str, key: str) -> float | None:
        """Return what the last rule that matches a workload and names a key says of it, None where none does."""
        notes = [getattr(rule, what) for rule in self.rules if fnmatchcase(workload, rule.pattern)]
        return next((note[key] for note in reversed(notes) if key in note), None)

    def interruptible(self, stream: tuple) -> bool:
        told = self.said(stream[0], "interruptible")
        rows = [row for row in self.usage if (row["workload"], row["gpu_model"]) == stream[:2]]
        return all(row["interruptible"] is True for row in rows) if told is None else bool(told)

    @cached_property
    def homes(self) -> dict[tuple, str | None]:
        """Return where each stream is at home: where its data is said to be, else the one place that its rows name."""
        named: dict[tuple, set] = {}
        for row in self.usage:
            named.setdefault(self._stream(row), set()).add(row["provider"])
        today = {stream: next(iter(places)) if len(places) == 1 else None for stream, places in named.items()}
        return {stream: self.said(stream[0], "data_at") or place for stream, place in today.items()}

    def away(self, stream: tuple, row: dict) -> bool:
        return self.homes[stream] is not None and self.homes[stream] != row["provider"]

    def rate(self, stream: tuple, row: dict) -> float:
        """Return how much of a stream one GPU-hour of an offer serves, 0 where it may not."""
        quality = self.noted(stream[0], "quality", row["provider"])
        twice = (self.said(stream[0], "overlap_hours") or 0.0) / self.horizon_hours if self.away(stream, row) else 0.0
        return self.ratio(stream, row) * (1.0 if quality is None else quality) / (1 + twice)

    def ratio(self, stream: tuple, row: dict) -> float:
        """Return how much of a stream one GPU-hour of an offer's model serves, 0 where it may not."""
        workload, model, provider, region = stream
        providers = (provider,) if provider else self.said(workload, "providers")
        regions = (region,) if region else self.said(workload, "regions")
        if row["purchase_option"] == "spot" and not self.interruptible(stream):
            return 0.0
        if providers is not None and row["provider"] not in providers:
            return 0.0
        if not self.fits(workload, row):
            return 0.0
        here = row["region"]
        if regions is not None and here and not any(fnmatchcase(here, pattern) for pattern in regions):
            return 0.0
        if row["gpu_model"] == model:
            return 1.0
        return self.noted(workload, "runs_on", row["gpu_model"]) or 0.0

    def fits(self, workload: str, row: dict) -> bool:
        """Return whether an offer of GPUs has as many as run together; what is owned, or in dollars, is not asked."""
        if "commitment_id" in row or row["plan"] is not None or row["max_gpus"] is None:
            return True
        return row["max_gpus"] >= (self.said(workload, "gang_gpus") or 0.0)

    def nodes(self, stream: tuple, row: dict) -> float:
        """Return on how many nodes of an offer the GPUs of a stream that run together are; at least on one."""
        return max((self.said(stream[0], "gang_gpus") or 0.0) / row["gpus_per_node"], 1.0)

    def moving(self, stream: tuple, row: dict) -> float:
        """Return what one GPU-hour of an offer costs more because a stream's data is elsewhere."""
        if not self.away(stream, row):
            return 0.0
        egress = self.said(stream[0], "egress_usd_per_gpu_hour") or 0.0
        once = (self.said(stream[0], "migration_usd") or 0.0) / (self.demanded(stream[0]) or math.inf)
        return self.rate(stream, row) * (egress + once)

    def demanded(self, workload: str | None = None) -> float:
        """Return the GPU-hours demanded over the horizon, of one workload or of all."""
        wanted = [needs for stream, needs in self.streams.items() if workload in (None, stream[0])]
        return sum(needs.get(hour, 0.0) * weight for hour, _, weight in self.slots for needs in wanted)
