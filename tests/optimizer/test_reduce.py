"""What is not worth considering is dropped by the rule as it is written, however it is computed."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import cases

from optimizer.reduce import useful_pairs
from optimizer.stated import stated_of


def dropped_by_any(problem):
    """Return the pairs that no cheaper way, there whenever they are, makes useless, every way looked at by itself."""
    limits, unit, endless = problem.limits, problem.unit_price, problem.endless
    keep = problem.rates > 0
    for stream, tariff in np.argwhere(problem.rates > 0):
        for cheap in np.flatnonzero(endless & (problem.rates[stream] > 0)):
            price, other = unit[stream, cheap], unit[stream, tariff]
            tie = price == other and (tariff > cheap or problem.held[tariff] or not endless[tariff])
            harder = np.isfinite(limits.spot) and problem.spot[cheap] and not problem.spot[tariff]
            limited = problem.provider[cheap] in limits.providers
            harder |= limited and problem.provider[cheap] != problem.provider[tariff]
            covered = not (problem.open[tariff] & ~problem.open[cheap]).any()
            if cheap != tariff and covered and not harder and (price < other or tie):
                keep[stream, tariff] = False
    return keep


@settings(max_examples=150, deadline=None)
@given(cases(), st.sampled_from([np.inf, 0.4]), st.sampled_from([{}, {"aws": 0.5}, {"aws": 0.5, "gcp": 0.3}]))
def test_pairs_that_stay(case, spot, providers):
    problem = stated_of(case.inputs()).problem
    limited = replace(problem, limits=replace(problem.limits, spot=spot, providers=providers))
    assert (useful_pairs(limited) == dropped_by_any(limited)).all()
