"""SkyPilot's catalogue, with the defects it is known for."""

import os
from datetime import UTC, datetime

import pytest

from providers.catalogues import skypilot
from providers.tables import InputError

HEADER = (
    "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,Price,SpotPrice,Region,AvailabilityZone,GpuInfo\n"
)


def row(machine, gpu, count, price, spot="", *, region="r1", zone="", mib=81920):
    info = f"\"{{'Gpus': [{{'Name': '{gpu}', 'Count': {count}, 'MemoryInfo': {{'SizeInMiB': {mib}}}}}]}}\""
    return f"{machine},{gpu},{count},8,64,{price},{spot},{region},{zone},{info if gpu else ''}\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SKYPILOT_CATALOG", str(tmp_path))

    def write(cloud, *rows):
        path = tmp_path / cloud / "vms.csv"
        path.parent.mkdir()
        path.write_text(HEADER + "".join(rows))
        os.utime(path, (0, datetime(2026, 10, 1, tzinfo=UTC).timestamp()))

    return write


def local(ask, **more):
    return skypilot.prices(ask("other", "", **more))


def test_clouds_without_a_feed_of_their_own_come_from_the_net(serve, ask):
    # Rows of the catalogue of 2026-04: Nebius asks 23.60 for eight H100, and 10.00 for them preemptible.
    files = {
        "/nebius/vms.csv": row("cpu-d3_4vcpu-16gb", "", 0, 0.0992)
        + row("gpu-h100-sxm_8gpu-128vcpu-1600gb", "H100", 8, "23.60", "10.00", region="eu-north1"),
        "/verda/vms.csv": row("2B300.60V", "B300", "2.0", "", 4.893, region="FIN-03", mib=268800),
    }

    def reply(asked):
        text = files.get(asked.path)
        return (200, (HEADER + text).encode()) if text else (404, b"404: Not Found")

    url, asked = serve(reply)
    harvest = skypilot.prices(ask("skypilot", url))
    assert {one.path for one in asked} == {f"/{cloud}/vms.csv" for cloud in skypilot.CLOUDS}
    assert not {"aws", "azure", "gcp", "lambda", "runpod", "vast", "oci"} & set(skypilot.CLOUDS)
    full, spot, verda = harvest.listings
    assert (full.provider, full.region, full.gpu_model, full.gpus) == ("nebius", "eu-north1", "H100-SXM-80GB", 8)
    assert (full.hourly, full.purchase_option, full.confidence, full.variant) == (
        23.6,
        "on_demand",
        "medium",
        "skypilot",
    )
    assert (spot.hourly, spot.purchase_option) == (10.0, "spot")
    # Verda sells this one by spot only.
    assert (verda.provider, verda.purchase_option, verda.hourly, verda.gpus) == ("verda", "spot", 4.893, 2)
    assert set(harvest.lost) == set(skypilot.CLOUDS) - {"nebius", "verda"}
    assert {(said.level, said.code) for said in harvest.found} == {("warning", "catalogue-not-read")}


def test_where_no_cloud_answers_there_is_no_harvest(serve, ask):
    url, _ = serve((403, b"no"))
    with pytest.raises(InputError, match="403"):
        skypilot.prices(ask("skypilot", url))


def test_a_throttled_file_is_asked_again(serve, ask, monkeypatch):
    monkeypatch.setattr(skypilot, "CLOUDS", ("nebius",))
    url, asked = serve((429, b"slow"), (200, (HEADER + row("gpu-h200-sxm_1gpu", "H200", 1, 3.5)).encode()))
    (one,) = skypilot.prices(ask("skypilot", url)).listings
    assert (one.gpu_model, one.hourly, len(asked)) == ("H200-141GB", 3.5, 2)


@pytest.mark.parametrize(
    ("cloud", "machine", "gpu", "mib", "model"),
    [
        ("seeweb", "A100-1", "A100", "0", "A100-40GB"),
        ("cudo", "epyc-genoa-a100-pcie_1x2v4gb", "A100", 81920, "A100-80GB-PCIE"),
        ("verda", "1A100.22V", "A100-80GB", 81920, "A100-80GB"),
        ("paperspace", "A100-80G", "A100-80GB", 81920, "A100 (80 GB)"),
        ("runpod", "1x_H100_SECURE", "H100", 80, "H100-PCIE-80GB"),
        ("runpod", "1x_H100-SXM_SECURE", "H100-SXM", 80, "H100-SXM-80GB"),
        ("runpod", "1x_A100-80GB_SECURE", "A100-80GB", 80, "A100-80GB-PCIE"),
        ("azure", "Standard_new_H100", "H100", 95830, "H100-NVL-94GB"),
        ("nebius", "gpu-h100-sxm_1gpu", "H100", 81920, "H100-SXM-80GB"),
        ("paperspace", "H100", "H100", 81920, "H100"),
        ("cudo", "intel-broadwell-v100_1x2v4gb", "V100", 16384, "V100-16GB"),
        ("oci", "BM.GPU.H100.8", "H100", 81920, None),
    ],
)
def test_the_same_word_is_another_card_in_another_cloud(folder, ask, cloud, machine, gpu, mib, model):
    folder(cloud, row(machine, gpu, 1, 2.0, mib=mib))
    (one,) = local(ask).listings
    assert one.gpu_model == model
    assert one.as_of.startswith("2026-10-01")


def test_rows_that_are_known_to_be_no_prices_are_passed_over(folder, ask):
    folder("gcp", row("a3-highgpu-1g", "H100", 1, 1.18))
    folder("mithril", row("h100-80gb.sxm.8x", "H100", 8, "0.08", "0.08"))
    folder("runpod", row("1x_L40S_SECURE", "L40S", 1, 0.99, 0.99, mib=48))
    harvest = local(ask)
    assert [(one.provider, one.purchase_option, one.hourly) for one in harvest.listings] == [
        ("runpod", "on_demand", 0.99)
    ]
    assert [(said.level, said.code) for said in harvest.found] == [("note", "catalogue-has-no-prices")] * 2


def test_one_price_repeated_for_every_region_says_nothing_of_regions(folder, ask):
    folder("lambda", *(row("gpu_8x_h100_sxm5", "H100", 8, 31.92, region=name) for name in ("us-east-1", "us-west-1")))
    folder("seeweb", *(row("H200-1", "H200", 1, 3.0, region=name) for name in ("it-fr2", "it-mi2")))
    got = [(one.provider, one.region) for one in local(ask).listings]
    assert got == [("lambda", None), ("seeweb", "it-fr2"), ("seeweb", "it-mi2")]
    got = [(one.provider, one.region) for one in local(ask, regions=("it-m*",)).listings]
    assert got == [("lambda", None), ("seeweb", "it-mi2")]


def test_zones_tell_spot_prices_apart_and_repeat_the_others(folder, ask):
    zones = (("us-east-1a", 20.5), ("us-east-1b", 21.5))
    folder("aws", *(row("p5.48xlarge", "H100", 8, 55.04, spot, region="us-east-1", zone=zone) for zone, spot in zones))
    got = [(one.purchase_option, one.zone, one.hourly, one.gpu_model) for one in local(ask).listings]
    assert got == [
        ("on_demand", None, 55.04, None),
        ("spot", "us-east-1a", 20.5, None),
        ("spot", "us-east-1b", 21.5, None),
    ]


def test_a_row_that_nobody_understands_costs_itself_only(folder, ask):
    folder("cudo", row("good", "L40S", 1, 0.9), row("odd", "L40S", 1, "soon"))
    harvest = local(ask)
    assert [one.instance_type for one in harvest.listings] == ["good"]
    (said,) = harvest.found
    assert said.code == "rows-not-understood"
    assert "odd" in said.message


def test_another_shape_or_an_empty_folder_is_never_an_empty_harvest(tmp_path, monkeypatch, ask):
    monkeypatch.setenv("SKYPILOT_CATALOG", str(tmp_path))
    with pytest.raises(InputError, match="has no file of any cloud"):
        local(ask)
    (tmp_path / "cudo").mkdir()
    (tmp_path / "cudo" / "vms.csv").write_text("Machine,Cost\nx,1\n")
    with pytest.raises(InputError, match="no row is understood"):
        local(ask)
