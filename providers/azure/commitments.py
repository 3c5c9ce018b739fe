"""The reservations and savings plans that a login may see in Azure -> rows of Commitments.

Azure Resource Manager lists what is owned (Microsoft.Capacity and Microsoft.BillingBenefits, both 2022-11-01) without
what was paid for it. A reservation is therefore priced as the public list prices the same size, region and term today,
and says so; where the list has no such price it is left out, with a warning.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import polars as pl

from providers.accelerators import gpus_of_types
from providers.asking import Ask
from providers.azure.offers import MANAGEMENT, PRICES, RETAIL, Paging, items_of, refused
from providers.azure.retail import (
    PLAN,
    SHAPE_REMEDY,
    MalformedError,
    harvest,
    moment,
    months_of,
    rows_of,
    sizes,
    skipped,
)
from providers.listings import Harvest
from providers.offers import plan_of
from providers.tables import COMMITMENTS, Diagnostic, InputError, checked
from providers.web import Web

WHERE = "Azure reservations and savings plans"
ANY_GPU = "any"
"""The GPU model of a savings plan, which covers every machine."""
_VERSION = "2022-11-01"
_GPU_SIZE = re.compile(r"standard_n[cdgpv]\d", re.IGNORECASE)
_BY_FILE = "give them in a file (--commitments)"
Owned = dict[str, Any]
Prices = Mapping[tuple[str, str, float], tuple[float | None, str]]
"""Price of a machine an hour, and its currency, by size, region and months."""


def owned(ask: Ask, *, token: Callable[[], str] | None = None) -> Harvest:
    """Return the reservations of GPU machines and the savings plans that run at the time of asking.

    Args:
        ask: what for.
        token: what gives a token for Azure Resource Manager; without it, Azure's own chain of credentials.

    Raises:
        NoCredentialsError: there is no login.
        InputError: the login has expired or sees nothing, or an answer is not understood.
        StoppedError: somebody wants the work to end.
    """
    base = ask.urls.get("azure-commitments", MANAGEMENT)
    web = Web(WHERE, headers={"Authorization": f"Bearer {(token or _token)()}"})
    ask.expect(2)
    broken: list[str] = []
    reservations = _read(_pages(web, base, "Microsoft.Capacity/reservations", ask), _reservation, ask, broken)
    plans = _read(_pages(web, base, "Microsoft.BillingBenefits/savingsPlans", ask), _plan, ask, broken)
    unknown = [row for row in reservations if row["gpu_model"] is None]
    known = [row for row in reservations if row["gpu_model"] is not None]
    priced, found = _priced(known, ask)
    rows = priced + plans
    table = None
    if rows:
        schema = {column.name: column.dtype for column in COMMITMENTS.columns}
        table = checked(pl.DataFrame(rows, schema=schema), COMMITMENTS, where=WHERE)
    return Harvest(commitments=table, found=(*skipped(broken, WHERE), *_unknown(unknown), *found))


def _read(items: Iterator[Any], row_of: Callable[[Any], Owned | None], ask: Ask, broken: list[str]) -> list[Owned]:
    """Return what runs and is asked for; what cannot be read is added to `broken`.

    Raises:
        InputError: there is something, and none of it can be read.
    """
    rows: list[Owned] = []
    missed: list[str] = []
    understood = 0
    for item in items:
        try:
            row = row_of(item)
        except MalformedError as error:
            missed.append(str(error))
            continue
        understood += 1
        if row and row["end"] > ask.now and ask.wants(row["region"]):
            rows.append(row)
    if missed and not understood:
        raise InputError(WHERE, f"holds nothing that can be read ({missed[0]})", SHAPE_REMEDY)
    broken += missed
    return rows


def _pages(web: Web, base: str, kind: str, ask: Ask) -> Iterator[Any]:
    answer = web.get(f"{base}/providers/{kind}", {"api-version": _VERSION})
    paging = Paging(base=base, official=MANAGEMENT, where=WHERE, what=kind, items="value", link="nextLink")
    yield from paging.rows(web, answer, ask)


def _reservation(item: Any) -> Owned | None:  # noqa: ANN401 - JSON
    """Return a reservation without its price; None where it is not of a GPU machine, or is no longer or not yet owned.

    Raises:
        MalformedError: something is missing.
    """
    said = _properties(item)
    spelled = str((item.get("sku") or {}).get("name") or "")
    is_machine = said.get("reservedResourceType", "VirtualMachines") == "VirtualMachines"
    size = sizes().get(spelled.casefold())
    if not is_machine or not (size or _GPU_SIZE.match(spelled)) or said.get("provisioningState") != "Succeeded":
        return None
    model, gpus = gpus_of_types("azure").get(spelled.casefold(), (None, 1.0))
    quantity = _number(item, said, "quantity")
    return {
        **_common(item, said),
        "gpu_model": model,
        "purchase_option": "reserved",
        "region": "".join(str(item.get("location") or "").split()).casefold() or None,
        "instance_type": size or spelled,
        "gpus_per_node": gpus,
        "lot_gpus": gpus,
        "gpus": quantity * gpus,
        "upfront_share": 1.0 if said.get("billingPlan") == "Upfront" else 0.0,
        "note": said.get("displayName"),
    }


def _plan(item: Any) -> Owned | None:  # noqa: ANN401 - JSON
    """Return a savings plan; None where it is no longer or not yet owned.

    Raises:
        MalformedError: something is missing, or it commits to something else than money an hour.
    """
    said = _properties(item)
    if said.get("provisioningState") != "Succeeded":
        return None
    commitment = said.get("commitment")
    if not isinstance(commitment, Mapping) or str(commitment.get("grain")).casefold() != "hourly":
        raise MalformedError(f"{_name(item)}: commitment is {commitment!r}")
    common = _common(item, said)
    return {
        **common,
        "gpu_model": ANY_GPU,
        "purchase_option": "savings_plan",
        "region": None,
        "holding_usd_per_gpu_hour": 0.0,
        "usd_per_hour": _number(item, commitment, "amount"),
        "plan": plan_of("azure", PLAN, common["term_months"]),
        "upfront_share": 0.0 if said.get("billingPlan") == "P1M" else 1.0,
        "currency": str(commitment.get("currencyCode") or "USD"),
        "note": said.get("displayName"),
    }


def _common(item: Mapping[str, Any], said: Mapping[str, Any]) -> Owned:
    start = next((said[key] for key in ("benefitStartTime", "effectiveDateTime", "purchaseDateTime", "purchaseDate")
                  if said.get(key)), None)  # fmt: skip
    end = said.get("expiryDateTime") or said.get("expiryDate")
    try:
        months = months_of(str(said.get("term")))
        times = {"start": moment(str(start)) if start else None, "end": moment(str(end))}
    except MalformedError as error:
        raise MalformedError(f"{_name(item)}: {error}") from None
    return {
        "commitment_id": _name(item).casefold(),  # as bills name it, where case differs from row to row
        "provider": "azure",
        "usage_usd_per_gpu_hour": 0.0,
        "term_months": months,
        "status": "accepted",
        "source": "Azure Resource Manager",
        **times,
    }


def _priced(rows: list[Owned], ask: Ask) -> tuple[list[Owned], list[Diagnostic]]:
    """Add to each reservation what the public list asks for the same today; leave out those without such a price."""
    web, done, without, refusals = Web(RETAIL), [], [], set()
    prices: dict[tuple[str, str, float], tuple[float | None, str]] = {}
    wanted = sorted({row["instance_type"] for row in rows})
    ask.expect(len(wanted))
    for size in wanted:
        try:
            prices |= _list_prices(web, size, ask)
        except InputError as error:
            refusals.add(str(error))
    for row in rows:
        hourly, currency = prices.get((row["instance_type"], row["region"], row["term_months"]), (None, "USD"))
        if not hourly:
            without.append(row)
            continue
        note = "; ".join(filter(None, (row["note"], "at today's list price, not at what was agreed")))
        per_gpu = hourly / row["gpus_per_node"]
        as_of = f"{ask.now:%Y-%m-%d}"
        priced = {"holding_usd_per_gpu_hour": per_gpu, "currency": currency, "as_of": as_of, "confidence": "low"}
        done.append({**row, **priced, "note": note})
    return done, _left_out(without, "their price is not known", sorted(refusals))


def _list_prices(web: Web, size: str, ask: Ask) -> Prices:
    base = ask.urls.get("azure-retail", PRICES)
    items = list(items_of(web, base, size, ask))
    if not items:  # no longer on the list, as old sizes are
        return {}
    found = harvest(items, partial(rows_of, now=ask.now), ask, source=RETAIL).listings
    return {
        (size, one.region or "", one.term_months or 0.0): (one.hourly, one.currency)
        for one in found
        if one.purchase_option == "reserved"
    }


def _unknown(rows: list[Owned]) -> list[Diagnostic]:
    return _left_out(rows, "the GPUs of their sizes are not known", [])


def _left_out(rows: list[Owned], why: str, refusals: list[str]) -> list[Diagnostic]:
    if not rows:
        return []
    named = ", ".join(f"{row['commitment_id'].rpartition('/')[2]} ({row['instance_type']})" for row in rows)
    message = f"reservations are left out, because {why}: {named}"
    hint = "; ".join((*refusals, _BY_FILE))
    return [Diagnostic(level="warning", code="azure-reservations-left-out", message=message, hint=hint, where=WHERE)]


def _properties(item: Any) -> Mapping[str, Any]:  # noqa: ANN401 - JSON
    said = item.get("properties") if isinstance(item, Mapping) else None
    if not isinstance(said, Mapping) or not item.get("id"):
        raise MalformedError("one without id or properties")
    return said


def _name(item: Mapping[str, Any]) -> str:
    return str(item["id"])


def _number(item: Mapping[str, Any], place: Mapping[str, Any], key: str) -> float:
    value = place.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise MalformedError(f"{_name(item)}: {key} is {value!r}")
    return float(value)


def _token() -> str:
    from azure.core.exceptions import AzureError
    from azure.identity import DefaultAzureCredential

    try:
        with DefaultAzureCredential() as credential:
            return credential.get_token(f"{MANAGEMENT}/.default").token
    except AzureError as error:
        raise refused(error, WHERE, "with a role that may read reservations and savings plans") from None
