"""gpuhunt's catalogue: archives from a bucket, or files of a folder."""

import io
from zipfile import ZipFile

import pytest

from providers.catalogues import gpuhunt
from providers.tables import InputError

HEADER = "instance_name,location,price,cpu,memory,gpu_count,gpu_name,gpu_memory,spot,disk_size\n"


def row(machine, price, count, gpu="", memory="", spot="False", region="r1"):
    return f"{machine},{region},{price},8,64.0,{count},{gpu},{memory},{spot},\n"


def archive(cloud, *rows):
    held = io.BytesIO()
    with ZipFile(held, "w") as files:
        files.writestr(f"{cloud}.csv", HEADER + "".join(rows))
    return held.getvalue()


@pytest.fixture
def bucket(serve, monkeypatch):
    """Give what serves archives of clouds, as the bucket does."""
    monkeypatch.setattr(gpuhunt, "CLOUDS", ("lambdalabs", "nebius"))

    def start(version="20260818-42", refused=(), **archives):
        def reply(asked):
            _, cloud, *rest = asked.path.split("/")
            if cloud in refused or cloud not in archives:
                return 404, b"no"
            found = {("version",): f"{version}\n".encode(), (version, "catalog.zip"): archives[cloud]}
            return 200, found[tuple(rest)]

        return serve(reply)

    return start


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GPUHUNT_CATALOG_DIR", str(tmp_path))

    def write(cloud, *rows):
        (tmp_path / f"{cloud}.csv").write_text(HEADER + "".join(rows))

    return write


def local(ask, **more):
    return gpuhunt.prices(ask("other", "", **more))


def test_each_cloud_comes_from_its_archive_and_is_as_old_as_its_version(bucket, ask):
    # Lambda's list of 2026-09-20: eight H100 at 3.99 USD each.
    machine = [row("gpu_8x_h100_sxm5", 31.92, 8, "H100", 80.0, region=name) for name in ("us-east-1", "us-west-1")]
    url, asked = bucket(
        lambdalabs=archive("lambdalabs", row("cpu_4x_general", 0.2, 0), *machine),
        nebius=archive(
            "nebius",
            row("gpu-h100-sxm 8gpu", 36.0, 8, "H100", 80.0),
            row("gpu-h100-sxm 8gpu", 9.0, 8, "H100", 80.0, "True"),
        ),
    )
    harvest = gpuhunt.prices(ask("gpuhunt", url))
    assert [one.path for one in asked][:2] == ["/lambdalabs/version", "/lambdalabs/20260818-42/catalog.zip"]
    assert [(one.provider, one.region, one.gpus, one.hourly, one.purchase_option) for one in harvest.listings] == [
        ("lambda", None, 8, 31.92, "on_demand"),
        ("nebius", "r1", 8, 36.0, "on_demand"),
        ("nebius", "r1", 8, 9.0, "spot"),
    ]
    assert {(one.as_of, one.variant, one.confidence) for one in harvest.listings} == {
        ("2026-08-18", "gpuhunt", "medium")
    }
    assert [one.gpu_model for one in harvest.listings] == [None, "H100-SXM-80GB", "H100-SXM-80GB"]
    assert not harvest.found


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"refused": ("nebius",)}, "404"),
        ({"nebius": b"no archive"}, "is no archive with nebius.csv in it"),
        ({"nebius": archive("other")}, "is no archive with nebius.csv in it"),
        ({"nebius": archive("nebius")}, "lists no GPU"),
    ],
)
def test_a_cloud_that_cannot_be_read_is_lost_and_the_others_are_not(bucket, ask, more, said):
    url, _ = bucket(
        **{"lambdalabs": archive("lambdalabs", row("gpu_1x_a10", 1.29, 1, "A10", 24)), "nebius": b"", **more}
    )
    harvest = gpuhunt.prices(ask("gpuhunt", url))
    assert [one.instance_type for one in harvest.listings] == ["gpu_1x_a10"]
    assert harvest.lost == ["nebius"]
    (warning,) = harvest.found
    assert warning.code == "catalogue-not-read"
    assert said in warning.message


def test_where_no_cloud_can_be_read_there_is_no_harvest(bucket, ask):
    url, _ = bucket(version="<html>", lambdalabs=b"", nebius=b"")
    with pytest.raises(InputError, match="for a version"):
        gpuhunt.prices(ask("gpuhunt", url))


def test_a_throttled_bucket_is_asked_again(serve, ask, monkeypatch):
    monkeypatch.setattr(gpuhunt, "CLOUDS", ("nebius",))
    held = archive("nebius", row("gpu-h200-sxm 1gpu", 5.4, 1, "H200", 141))
    url, asked = serve((503, b""), (200, b"20261001-1"), (429, b""), (200, held))
    (one,) = gpuhunt.prices(ask("gpuhunt", url)).listings
    assert (one.gpu_model, one.as_of, len(asked)) == ("H200-141GB", "2026-10-01", 4)


@pytest.mark.parametrize(
    ("cloud", "machine", "gpu", "memory", "model"),
    [
        ("verda", "1H100.80S.32V", "H100", 80, "H100-SXM-80GB"),
        ("runpod", "NVIDIA H100 80GB HBM3", "H100", 80, "H100-SXM-80GB"),
        ("runpod", "NVIDIA H100 PCIe", "H100", 80, "H100-PCIE-80GB"),
        ("runpod", "NVIDIA H100 NVL", "H100NVL", 94, "H100-NVL-94GB"),
        ("nebius", "x", "A100", 40, "A100-40GB"),
        ("cloudrift", "x", "A100", 80, "A100 (80 GB)"),
        ("cloudrift", "x", "H100", 80, "H100"),
        ("aws", "p5.48xlarge", "H100", 80, None),
    ],
)
def test_memory_and_machine_decide_what_a_name_leaves_open(folder, ask, cloud, machine, gpu, memory, model):
    folder(cloud, row(machine, 2.0, 1, gpu, memory))
    assert [one.gpu_model for one in local(ask).listings] == [model]


def test_prices_that_gpuhunt_makes_up_have_low_confidence(folder, ask):
    folder("crusoe", row("h100-80gb-sxm-ib.8x", 31.2, 8, "H100", 80))
    folder("oci", row("VM.GPU.A10.1", 2.0, 1, "A10", 24), row("VM.GPU.A10.1", 1.0, 1, "A10", 24, "True"))
    got = {(one.provider, one.purchase_option): (one.confidence, one.note) for one in local(ask).listings}
    assert got == {
        ("crusoe", "on_demand"): ("low", "written into gpuhunt's program by hand"),
        ("oci", "on_demand"): ("medium", None),
        ("oci", "spot"): ("low", "half the price on demand, by rule"),
    }


def test_a_row_that_nobody_understands_costs_itself_only(folder, ask):
    folder("nebius", row("good", 5.4, 1, "H200", 141), row("odd", 5.4, 1, "H200", 141, "perhaps"))
    harvest = local(ask)
    assert [one.instance_type for one in harvest.listings] == ["good"]
    assert ["odd ('perhaps' is neither True nor False)" in said.message for said in harvest.found] == [True]


def test_another_shape_or_an_empty_folder_is_never_an_empty_harvest(folder, ask, tmp_path):
    with pytest.raises(InputError, match="has no file of any cloud"):
        local(ask)
    (tmp_path / "nebius.csv").write_text("name,cost\nx,1\n")
    with pytest.raises(InputError, match="no row is understood"):
        local(ask)
