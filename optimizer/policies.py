"""How a machine's cost is shared among those who claim parts of it: weights of GPU, vCPU and memory, and one formula.

For each resource r of a machine that costs C: price_r = w_r · C / Σ(w · available), and a claim that holds a_r of it
pays a_r / max(available_r, Σ a_r) · available_r · price_r. So nobody pays more because others ask for less, a resource
that is promised twice costs each holder less, and what nobody holds is left over: Σ claims + left over = C always.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import polars as pl

RESOURCES = ("gpu", "vcpu", "gb")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What one GPU, one vCPU and one GiB of memory weigh, and which amount of them a claim is held to hold.

    `larger` takes the larger of requested and used; `used` takes what was requested where nothing measures the use.
    """

    gpu: float
    vcpu: float = 0.0
    gb: float = 0.0
    basis: Literal["larger", "requested", "used"]

    @property
    def weights(self) -> dict[str, float]:
        """Return what weighs anything, of gpu, vcpu and gb; what weighs nothing is not even summed."""
        return {name: weight for name in RESOURCES if (weight := getattr(self, name))}

    def held(self, resource: str) -> pl.Expr:
        """Return how much of a resource each row of Claims holds, in units times hours; never null."""
        requested, used = pl.col(f"{resource}_hours"), pl.col(f"{resource}_hours_used")
        if self.basis == "larger":
            return pl.max_horizontal(requested, used).fill_null(0.0)
        return (pl.coalesce(used, requested) if self.basis == "used" else requested).fill_null(0.0)


# Prices of GPU, vCPU and GiB per hour that OpenCost takes where no price is known (its configs/default.json).
_OPENCOST = {"gpu": 0.95, "vcpu": 0.031611, "gb": 0.004237}

POLICIES: Mapping[str, Policy] = MappingProxyType(
    {
        "aws_scad": Policy(gpu=9.0, vcpu=0.9, gb=0.1, basis="larger"),  # AWS split cost allocation data
        "gpu_weighted": Policy(gpu=1.0, basis="requested"),
        "price_ratio": Policy(**_OPENCOST, basis="larger"),
        "requested": Policy(**_OPENCOST, basis="requested"),
        "used": Policy(**_OPENCOST, basis="used"),
    }
)
DEFAULT = "gpu_weighted"


def rates(policy: Policy) -> list[pl.Expr]:
    """Return, for each machine, the part of its cost that holding one unit of each resource costs: `<resource>_rate`.

    Of the columns `<resource>_available`, null where nobody knows, and `<resource>_held`, the sum over its claims.
    """
    return [
        _or_zero(_part(policy, name) / pl.max_horizontal(_available(name), _held(name))).alias(f"{name}_rate")
        for name in policy.weights
    ]


def unused_rates(policy: Policy) -> list[pl.Expr]:
    """Return the part of the cost that nobody holds, for each unit that somebody holds: `<resource>_unused_rate`.

    AWS lets each pod see its share of what is unused in proportion to what the pod holds.
    """
    return [
        _or_zero(_part(policy, name) * (1 - _held(name) / _available(name)).clip(lower_bound=0.0) / _held(name)).alias(
            f"{name}_unused_rate"
        )
        for name in policy.weights
    ]


def split(claims: pl.DataFrame, machines: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """Return the claims with `split_cost` and `unused_cost` under a policy: the view of AWS, pod by pod.

    Args:
        claims: rows of Claims.
        machines: node, hour, effective_cost and `<resource>_available` in units times hours; null where unknown.
        policy: how to share.
    """
    key = ["node", "hour"]
    holding = claims.select(*key, *(policy.held(name).alias(f"{name}_held") for name in policy.weights))
    sums = holding.group_by(key).agg(pl.all().sum())
    priced = machines.join(sums, on=key).select(*key, "effective_cost", *rates(policy), *unused_rates(policy))
    paid = holding.join(priced, on=key, how="left", maintain_order="left").select(
        split_cost=pl.col("effective_cost") * _sum(pl.col(f"{r}_held") * pl.col(f"{r}_rate") for r in policy.weights),
        unused_cost=pl.col("effective_cost")
        * _sum(pl.col(f"{r}_held") * pl.col(f"{r}_unused_rate") for r in policy.weights),
    )
    return claims.with_columns(paid["split_cost"], paid["unused_cost"])


def _part(policy: Policy, resource: str) -> pl.Expr:
    """Return the part of the machine's cost that all it has of a resource makes up."""
    weights = policy.weights
    return weights[resource] * _available(resource) / _sum(weight * _available(r) for r, weight in weights.items())


def _available(resource: str) -> pl.Expr:
    """Return what the machine has of a resource; where nobody knows, exactly what is held."""
    return pl.coalesce(f"{resource}_available", f"{resource}_held")


def _held(resource: str) -> pl.Expr:
    return pl.col(f"{resource}_held")


def _sum(terms: Iterable[pl.Expr]) -> pl.Expr:
    return pl.sum_horizontal(list(terms))


def _or_zero(ratio: pl.Expr) -> pl.Expr:
    """Return the ratio, 0 where it divides by nothing: nothing is held, or there is nothing to hold."""
    return pl.when(ratio.is_finite()).then(ratio).otherwise(0.0)
