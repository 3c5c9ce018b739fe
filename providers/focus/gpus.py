"""Which GPU the texts of a FOCUS row price, and how many of it: FOCUS has no column that says so."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import polars as pl

from providers.accelerators import canonical, instance_gpus, is_ambiguous
from providers.focus.cells import pairs

PROVIDERS = ("aws", "azure", "gcp", "oci", "lambda")
"""Whose instance types the accelerator table knows."""

_INSTANCES = re.compile(
    r"(?i)(?<![\w.-])(?:ml\.)?("
    r"[a-z]{1,3}\d[a-z0-9-]*\.(?:\d*x?large|metal[\w-]*|medium|small)"  # AWS
    r"|standard_[a-z]\w+"  # Azure
    r"|[a-z]\d[a-z]?-[a-z]+-\d+[a-z]?"  # Google Cloud
    r"|(?:bm|vm)\.gpu[\w.-]*\d"  # OCI
    r"|gpu_\d+x_\w+"  # Lambda
    r")(?![\w-])"
)
_GPU_INSTANCE = re.compile(
    r"(?i)^(?:(?:p|g|trn|inf|dl)\d.*\.|standard_n[cdgv]|(?:a[2-9]|g[2-9])[a-z]?-|(?:bm|vm)\.gpu|gpu_)"
)
_BESIDE = re.compile(  # rows about a machine that do not price it
    r"(?i)marketplace|mbps|ebs[- ]?optimi|licen[cs]e|\bsoftware\b|cpu ?credits|load balanc|mapreduce"
    r"|(?:^|[:\x1f-])(?:dedicated)?reservation:"  # AWS counts reserved hours there once more, at no cost
)
_PART = re.compile(r"(?i)\b(?:instance|predefined|custom|sole tenancy)\b[^\x1f]{0,20}\b(?:core|cpu|ram|memory)\b")
_WORD = re.compile(r"(?i)gpu|nvidia|tesla|instinct|accelerator|cuda")
_COUNT = re.compile(r"(?i)(?<![\w.])(\d{1,3})\s*[x\u00d7]\s*(?=[a-z])")
_FORM = re.compile(r"(?i)^\(?(?:sxm\d?|pcie|nvl|nvlink|hbm\d?e?|\d+\s*gi?b?)\)?$")
_WINDOW = 6
_KEYS = {
    "instance": ("instancetype", "servicetype", "vmsize", "machinetype", "machinespec", "shape", "armskuname"),
    "gpus": ("gpucount", "gpus", "acceleratorcount"),
    "model": ("gpumodel", "gputype", "acceleratortype"),
    "node": ("vmname",),
}

GPU = pl.Struct(
    {
        "gpu_model": pl.String(),
        "instance_type": pl.String(),
        "gpus": pl.Float64(),  # of one instance; null where the text does not say
        "per_gpu": pl.Boolean(),  # the quantity counts GPUs, not machines
        "part": pl.Boolean(),  # prices another part of a machine: cores, memory
        "unclear": pl.String(),  # a GPU that nobody can tell from others by this name
        "vm": pl.String(),  # the machine's name, where the details of the SKU have it
    }
)


class Texts(NamedTuple):
    """What a row says about its SKU; `meter` and `description` are free text, `details` JSON."""

    provider: str
    model: str
    gpus: str
    details: str
    more_details: str
    meter: str
    usage_type: str
    meter_name: str
    meter_category: str
    description: str
    service: str
    sku: str
    resource_type: str


def gpu_of(joined: str) -> Mapping[str, object]:
    """Return the fields of `GPU` for the texts of one row, joined by a unit separator."""
    texts = Texts(*joined.split("\x1f", len(Texts._fields) - 1))
    details = _details(texts)
    answer: dict[str, object] = dict.fromkeys(field.name for field in GPU.fields)
    answer |= {"per_gpu": False, "part": False, "vm": details.get("node")}
    free = "\x1f".join(texts[5:])
    if _BESIDE.search(free):
        return answer
    if texts.provider == "gcp" and _PART.search(free):
        return answer | {"part": True}
    return answer | _machine(texts, details, free)


def gpu_in(text: str) -> tuple[str | None, str | None]:
    """Return the canonical GPU that a free text names, or else the spelling that could be several or is unknown.

    >>> gpu_in("Nvidia H100 80GB GPU running in Iowa")
    ('H100-SXM-80GB', None)
    >>> gpu_in("8x H100 GPU on demand")
    (None, 'H100')
    """
    words = re.sub(r"[,;:|/\x1f]", " ", _COUNT.sub("", text)).split()
    words = [word for word in words if not _INSTANCES.fullmatch(word)]
    named = bool(_WORD.search(text))
    for size in range(min(_WINDOW, len(words)), 0, -1):
        for start in range(len(words) - size + 1):
            spelling = " ".join(words[start : start + size])
            if len(spelling) <= 3 and not named and len(words) > 1:
                continue
            model = _model(spelling)
            beside = [word for word in (*words[start - 1 : start], *words[start + size :][:1]) if _FORM.match(word)]
            if (model and beside) or (not model and is_ambiguous(spelling)):
                return None, " ".join(dict.fromkeys([spelling, *beside]))
            if model:
                return model, None
    return None, None


def _details(texts: Texts) -> dict[str, str]:
    """Return what the SKU's details say, by the keys of `_KEYS`, however a vendor writes them."""
    given = {_plain(key): value for text in (texts.more_details, texts.details) for key, value in pairs(text).items()}
    found = {name: next((given[key] for key in keys if given.get(key)), "") for name, keys in _KEYS.items()}
    found["model"] = texts.model or found["model"]
    found["gpus"] = texts.gpus or found["gpus"]
    return {name: value for name, value in found.items() if value}


def _plain(key: str) -> str:
    return key.casefold().removeprefix("x_").replace("_", "").replace(" ", "")


def _machine(texts: Texts, details: Mapping[str, str], free: str) -> dict[str, object]:
    """Say which GPU a row prices: by its details, the instance type, or a spelling in its texts, in this order."""
    instance, known = _instance(texts, details, free)
    count = _number(details.get("gpus", "")) or (known[1] if known else None)
    shape: dict[str, object] = {"instance_type": instance, "gpus": count}
    if "model" in details:
        model = _model(details["model"])
        return shape | {"gpu_model": model, "unclear": None if model else details["model"]}
    sku = texts.provider == "gcp" and _spelt(texts)
    if sku and sku[0]:
        return shape | {"gpu_model": sku[0], "gpus": 1.0, "per_gpu": True}
    if known:
        return shape | {"gpu_model": known[0]}
    if instance and (count or _GPU_INSTANCE.match(instance)):
        return shape | {"unclear": instance}
    if texts.provider in ("aws", "azure"):
        return shape | {"unclear": "GPU" if count else None}
    model, unclear = _spelt(texts)
    times = _COUNT.search(free)
    count = count or (float(times[1]) if times and (model or unclear) else None)
    return shape | {"gpu_model": model, "unclear": unclear or ("GPU" if count and not model else None), "gpus": count}


def _instance(texts: Texts, details: Mapping[str, str], free: str) -> tuple[str | None, tuple[str, float] | None]:
    """Return the instance type of a row, and its GPUs where the accelerator table has it."""
    candidates = [*_named(details, texts), *(match[1] for match in _INSTANCES.finditer(free))]
    for name in candidates:
        for provider in dict.fromkeys((texts.provider, *PROVIDERS)):
            if known := instance_gpus(provider, name):
                return name, known
    return (candidates[0] if candidates else None), None


def _named(details: Mapping[str, str], texts: Texts) -> Iterator[str]:
    if "instance" in details:
        yield details["instance"].removeprefix("ml.")
    if texts.provider == "azure" and texts.meter_name:  # "NC24ads A100 v4 Spot"
        name = re.sub(r"(?i)\s+(?:spot|low priority)$", "", texts.meter_name.strip())
        if re.match(r"(?i)n[cdgv]\d", name) and "/" not in name:
            yield "Standard_" + name.replace(" ", "_")


def _spelt(texts: Texts) -> tuple[str | None, str | None]:
    """Return the GPU that the most telling of the texts names."""
    fields = [texts.sku, texts.meter, texts.resource_type, texts.meter_name, texts.description]
    answers = [gpu_in(field) for field in fields if field]
    models = {model for model, _ in answers if model}
    if len(models) > 1:
        return None, " or ".join(sorted(models))
    unclear = next((spelling for _, spelling in answers if spelling), None)
    return (models.pop(), None) if models else (None, unclear)


def _model(spelling: str) -> str | None:
    """Return the canonical name of a spelling, also with the generation of its socket and its memory set aside."""
    plain = re.sub(r"(?i)\bsxm\d\b", "SXM", spelling)
    moved = re.sub(r"(?i)^(.*?)[\s-]+(\d+\s*gb)[\s-]+(sxm|pcie|nvl)$", r"\1 \3 \2", plain)
    tries = (spelling, plain, moved, re.sub(r"(?i)^nvidia\s+", "", moved))
    return next((model for name in tries if (model := canonical(name))), None)


def _number(text: str) -> float | None:
    try:
        return float(text) or None
    except ValueError:
        return None
