"""The month in every form, a folder for each."""

from pathlib import Path

from data.bills import aws, azure, company, focus, gcp, opencost
from data.bills.company import Machine

README = """One month of a made-up company, 2026-10, as every export writes it. Names, prices and bills are fictional.

aws/       CUR 2.0 with split cost allocation, delivered twice (only the newer delivery counts)
gcp/       Google Cloud's detailed export, split among the workloads of the cluster
azure/     actual and amortised exports by the day, and OpenCost for the hours
focus/     FOCUS 1.3 of a fictional GPU cloud with allocated charges, and its contract commitment
opencost/  what OpenCost answers for a cluster of the same machines, at list prices

Each of the first four gives the same GPU-hours and costs:

    tranche usage aws --by team --out usage.parquet
    tranche plan usage.parquet
"""


def write(out: Path) -> list[str]:
    """Write all exports below a directory that exists, and return the names of its folders."""
    aws.write(out / "aws")
    gcp.write(out / "gcp")
    azure.write(out / "azure")
    opencost.write(out / "azure" / "opencost", _azure_id, cluster=company.CLUSTER)
    focus.write(out / "focus")
    opencost.write(out / "opencost", lambda machine: machine.name, cluster="datacenter")
    (out / "README.txt").write_text(README)
    return ["README.txt", "aws", "azure", "focus", "gcp", "opencost"]


def _azure_id(machine: Machine) -> str:
    number = machine.name.rpartition("-")[2]
    return (
        f"azure:///subscriptions/{azure.SUBSCRIPTION}/resourceGroups/{azure.GROUP}/providers/Microsoft.Compute"
        f"/virtualMachineScaleSets/aks-{machine.kind}-vmss/virtualMachines/{number}"
    )
