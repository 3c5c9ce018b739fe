"""A GPU as a seller spells it, its memory and its form -> its canonical name, or the spelling where nothing decides.

"A100" is sold with 40 and with 80 GB, "H100" as SXM, PCIe and NVL: what else the seller says decides, never a guess.
"""

import re

from providers.accelerators import canonical, instance_gpus

_FAMILY = re.compile(r"(?<![A-Z0-9])(?:A100|H100|H200|V100|GH200)(?![0-9])")
_MEMORY = re.compile(r"(\d{2,3}) ?G(?:I?B)?(?![A-Z0-9])")
_FORM = re.compile(r"NVL(?!INK)|SXM|HGX|PCI|HBM3(?!E)")
_MAKER = r"^(?:NVIDIA[ _-]+HGX|NVIDIA|AMD|TESLA)[ _-]+"
_AROUND = re.compile(_MAKER + r"|[ _(-]+(?:SXM\d?|PCIE?|OAM|\d{2,3} ?G(?:I?B)?)(?=[ _)-]|$)\)?")
_FORMS = {"HBM3": "SXM", "HGX": "SXM"}
_SPLIT = {
    "A100": {"SXM": "A100-80GB", "PCI": "A100-80GB-PCIE"},
    "H100": {"SXM": "H100-SXM-80GB", "PCI": "H100-PCIE-80GB", "NVL": "H100-NVL-94GB"},
    "H200": {"": "H200-141GB", "SXM": "H200-141GB", "PCI": "H200-NVL-141GB", "NVL": "H200-NVL-141GB"},
}


def named(spelling: str, *, memory_gb: float | None = None, form: str = "") -> str:
    """Return the canonical name of a GPU, or a spelling without one where nothing decides.

    Args:
        spelling: as the seller writes it.
        memory_gb: of one GPU, in GB or GiB, where the seller says it.
        form: whatever else may tell SXM, PCIe and NVL apart, such as the name of the machine or of its interconnect.

    >>> named("A100_80G", form="sxm4")
    'A100-80GB'
    >>> named("H100", memory_gb=80)
    'H100'
    """
    text = spelling.upper().replace("_", " ")
    family = _FAMILY.search(text)
    if family:
        return _split(family[0], memory_gb or _memory(text), _form(text) or _form(form.upper())) or _plain(spelling)
    return _plain(spelling)


def unknown(provider: str, instance_type: str, model: str) -> str | None:
    """Return the model for a machine that the table of instance types does not know; for one that it knows, None."""
    return None if instance_gpus(provider, instance_type) else model


def _plain(spelling: str) -> str:
    return canonical(spelling) or canonical(_AROUND.sub("", spelling.upper())) or spelling


def _split(family: str, memory_gb: float | None, form: str) -> str | None:
    """Return the name of a card of a family that has several, or None where its plain spelling is as good."""
    if family == "V100":
        return f"V100-{16 if memory_gb < 24 else 32}GB" if memory_gb else None
    if family == "GH200":
        return f"GH200 ({memory_gb:g} GB)" if memory_gb and memory_gb > 100 else "GH200-96GB"
    if family == "A100":
        return _a100(memory_gb, form)
    if family == "H100" and memory_gb and 90 < memory_gb < 96:
        return "H100-NVL-94GB"
    return _SPLIT[family].get(form)


def _a100(memory_gb: float | None, form: str) -> str | None:
    if not memory_gb:
        return None
    # Without a form the name would read like the canonical one of the SXM card.
    return "A100-40GB" if memory_gb < 60 else _SPLIT["A100"].get(form, "A100 (80 GB)")


def _memory(text: str) -> float | None:
    found = _MEMORY.search(text)
    return float(found[1]) if found else None


def _form(text: str) -> str:
    found = _FORM.search(text)
    return _FORMS.get(found[0], found[0]) if found else ""
