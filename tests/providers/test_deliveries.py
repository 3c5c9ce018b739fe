"""A bill that was delivered many times counts once: the newest, whole, and whatever is left out is said."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.deliveries import choose
from providers.places import resolve
from providers.recognise import File
from providers.tables import InputError

CUR = "line_item_line_item_type,line_item_unblended_cost\nUsage,{}\n"
LEGACY = "lineItem/LineItemType,lineItem/UnblendedCost\nUsage,{}\n"
FOCUS = "BilledCost,ChargeCategory\n{},Usage\n"
AZURE = "MeterCategory,AdditionalInfo,ChargeType,PricingModel,Cost\nVirtual Machines,,Usage,OnDemand,{}\n"
COLUMNS = [{"name": "line_item_line_item_type"}, {"name": "line_item_unblended_cost"}]
SCOPE = "/subscriptions/1/providers/Microsoft.CostManagement/exports/"
FIRST, SECOND = "20260410T010000Z-aaaa", "20260420T010000Z-bbbb"


class Tree:
    """A folder that exports are delivered to, as a copy of a bucket."""

    def __init__(self, root):
        self.root, self.count = root, 0

    def write(self, path, content):
        self.count += 1
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content.format(self.count) if "{}" in content else content)
        return path

    def aws(self, period, execution, *, parts=2, arn="arn:cur", columns=COLUMNS, level="execution"):
        """Deliver a CUR 2.0: into a folder of its own, or over the last one."""
        folder = f"BILLING_PERIOD={period}/{execution}/" if execution else f"BILLING_PERIOD={period}/"
        names = [self.write(f"cur/data/{folder}cur-{part:05}.csv", CUR) for part in range(1, parts + 1)]
        said = {
            "executionId": (execution or "e")[-4:],
            "exportArn": arn,
            "columns": columns,
            "dataFiles": [f"s3://bucket/prefix/{name}" for name in names],
        }
        above = folder if level == "execution" else f"BILLING_PERIOD={period}/"
        self.write(f"cur/metadata/{above}cur-Manifest.json", json.dumps(said))
        return set(names)

    def legacy(self, assembly, *, folder=True, current=False):
        """Deliver a legacy report; `current` writes the manifest of the period's folder as well."""
        period = "report/20260401-20260501"
        inside = f"{period}/{assembly}" if folder else period
        names = [self.write(f"{inside}/report-{part}.csv", LEGACY) for part in (1, 2)]
        said = {
            "assemblyId": assembly,
            "account": "1",
            "reportName": "report",
            "billingPeriod": {"start": "20260401T000000.000Z", "end": "20260501T000000.000Z"},
            "reportKeys": [f"prefix/{name}" for name in names],
        }
        for where in {inside, period if current else inside}:
            self.write(f"{where}/report-Manifest.json", json.dumps(said))
        return set(names)

    def azure(self, run, submitted, *, parts=1, **more):
        """Deliver an Azure export of April: its type, its name, its days."""
        export = {"type": "ActualCost", "exportName": "daily", "start": "2026-04-01", "end": "2026-04-30"} | more
        form = FOCUS if export["type"] == "FocusCost" else AZURE
        folder = f"{export['exportName']}/20260401-20260430/{run}"
        names = [self.write(f"{folder}/part_{part}_0001.csv", form) for part in range(parts)]
        blobs = [{"blobName": f"root/{name}", "byteCount": (self.root / name).stat().st_size} for name in names]
        said = {
            "exportConfig": {
                "exportName": export["exportName"],
                "resourceId": export.get("scope", SCOPE) + export["exportName"],
                "dataVersion": export.get("version", "2023-05-01"),
                "type": export["type"],
            },
            "runInfo": {
                "submittedTime": submitted,
                "startDate": f"{export['start']}T00:00:00",
                "endDate": export["end"],
            },
            "blobCount": len(blobs),
            "blobs": blobs or None,
        }
        self.write(f"{folder}/manifest.json", json.dumps(said))
        return set(names)

    def choose(self, *sources):
        chosen, told = choose(resolve([str(self.root / source) for source in sources or ("",)], scratch=self.root))
        return chosen, {one.code: one for one in told}

    def paths(self, delivery):
        return {Path(file.path).relative_to(self.root).as_posix() for file in delivery.files}


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path / "copy")


def only(tree, *sources):
    (delivery,), told = tree.choose(*sources)
    return delivery, tree.paths(delivery), told


def test_the_newest_execution_counts_and_the_older_ones_are_named(tree):
    old = tree.aws("2026-04", FIRST)
    new = tree.aws("2026-04", SECOND, parts=3)
    delivery, files, told = only(tree)
    assert (delivery.kind, delivery.period, files) == ("aws_cur", "2026-04", new)
    assert {f"copy/{name}" for name in old} == set(delivery.left_out)
    assert delivery.created == "2026-04-20T01:00:00Z"
    assert FIRST in told["left-out"].message


def test_the_manifest_that_aws_keeps_on_the_newest_execution_decides(tree):
    tree.aws("2026-04", "aaaa-guid")
    new = tree.aws("2026-04", "0000-guid", level="period")
    tree.aws("2026-04", "zzzz-guid")
    assert only(tree)[1] == new


def test_an_export_that_overwrites_is_one_delivery_a_period(tree):
    april, may = tree.aws("2026-04", None), tree.aws("2026-05", None)
    chosen, _ = tree.choose()
    assert [(one.period, tree.paths(one), one.left_out) for one in chosen] == [
        ("2026-04", april, ()),
        ("2026-05", may, ()),
    ]


@pytest.mark.parametrize("overwrites_now", [True, False])
def test_an_export_that_changed_its_mode_counts_the_newer(tree, overwrites_now):
    kept = tree.aws("2026-04", SECOND), tree.aws("2026-04", None, parts=3)
    written = 1776816000 if overwrites_now else 1776297600  # 22 and 16 April, around the execution of the 20th
    os.utime(tree.root / "cur/metadata/BILLING_PERIOD=2026-04/cur-Manifest.json", (written, written))
    assert only(tree)[1] == kept[overwrites_now]


def test_what_a_shorter_delivery_left_behind_is_left_out(tree):
    tree.write("cur/data/BILLING_PERIOD=2026-04/cur-00003.csv", CUR)
    new = tree.aws("2026-04", None, parts=2)
    delivery, files, _ = only(tree)
    assert files == new
    assert delivery.left_out == ("copy/cur/data/BILLING_PERIOD=2026-04/cur-00003.csv",)


def test_a_manifest_that_names_what_is_not_there_is_refused(tree):
    tree.aws("2026-04", FIRST)  # holds files of the same last names
    tree.aws("2026-04", SECOND)
    (tree.root / f"cur/data/BILLING_PERIOD=2026-04/{SECOND}/cur-00002.csv").unlink()
    with pytest.raises(
        InputError, match=rf"{SECOND}/cur-Manifest\.json: names s3://.*{SECOND}/cur-00002\.csv, which is"
    ):
        tree.choose()


def test_an_older_manifest_may_name_what_was_cleaned_up(tree):
    for name in tree.aws("2026-04", FIRST):
        (tree.root / name).unlink()
    new = tree.aws("2026-04", SECOND)
    delivery, files, told = only(tree)
    assert (files, delivery.left_out, told) == (new, (), {})


def test_legacy_assemblies_count_once(tree):
    tree.legacy("9f3c-guid")
    new = tree.legacy("11aa-guid", current=True)
    delivery, files, _ = only(tree)
    assert (delivery.kind, delivery.period, files) == ("aws_cur", "2026-04", new)
    assert len(delivery.left_out) == 2


def test_a_legacy_report_that_overwrites_counts_once(tree):
    names = tree.legacy("11aa-guid", folder=False)
    assert only(tree)[1] == names


def test_a_copy_without_folders_is_found_beside_its_manifest(tree):
    said = {
        "executionId": "e",
        "exportArn": "a",
        "columns": COLUMNS,
        "dataFiles": ["s3://b/x/data/BILLING_PERIOD=2026-04/c.csv"],
    }
    tree.write("flat/Manifest.json", json.dumps(said))
    listed, stray = tree.write("flat/c.csv", CUR), tree.write("flat/stray.csv", CUR)
    other = tree.write("flat/focus.csv", FOCUS)
    chosen, told = tree.choose()
    assert [(one.kind, tree.paths(one)) for one in chosen] == [("aws_cur", {listed}), ("focus", {other})]
    assert chosen[0].left_out == (f"copy/{stray}",)
    assert "flat/stray.csv lies among the files of copy/flat/Manifest.json" in told["not-listed"].message


def test_two_exports_are_two_deliveries_and_a_focus_export_is_known_by_its_columns(tree):
    tree.aws("2026-04", FIRST, arn="arn:one")
    (tree.root / "cur").rename(tree.root / "one")
    columns = [{"name": "BilledCost"}, {"name": "ChargeCategory"}]
    tree.aws("2026-04", FIRST, arn="arn:two", columns=columns)
    assert [one.kind for one in tree.choose()[0]] == ["aws_cur", "focus"]


@pytest.mark.parametrize("kind", ["aws", "azure"])
def test_an_export_of_anything_but_costs_is_passed_over(tree, kind):
    if kind == "aws":
        tree.aws("2026-04", FIRST, columns=[{"name": "recommendation_id"}])
    else:
        tree.azure("guid", "2026-04-15T00:00:00Z", type="PriceSheet")
    chosen, told = tree.choose()
    assert (chosen, list(told)) == ([], ["no-costs"])


def test_a_manifest_without_what_manifests_have_is_refused(tree):
    tree.write("cur/Manifest.json", json.dumps({"executionId": "e", "dataFiles": 3}))
    with pytest.raises(InputError, match=r"^copy/cur/Manifest\.json: is a manifest without its usual keys"):
        tree.choose()


def test_azure_counts_the_run_that_was_submitted_last(tree):
    tree.azure("zzzz", "2026-04-10T08:00:00.0000000Z")
    new = tree.azure("aaaa", "2026-04-11T08:00:00.0000000Z", parts=2)
    tree.write("daily/20260401-20260430/running/part_0_0001.csv", AZURE)  # has no manifest yet
    delivery, files, told = only(tree)
    assert (delivery.kind, delivery.period, delivery.created) == (
        "azure_actual",
        "2026-04",
        "2026-04-11T08:00:00.0000000Z",
    )
    assert (files, len(delivery.left_out), list(told)) == (new, 2, ["left-out"])


def test_azure_exports_of_one_scope_are_one_bill_whatever_their_name_and_version(tree):
    tree.azure("g1", "2026-04-10T08:00:00Z")
    new = tree.azure("g2", "2026-04-11T08:00:00Z", exportName="other", version="2024-08-01")
    assert only(tree)[1] == new


def test_azure_exports_of_two_scopes_are_two_bills(tree):
    tree.azure("g1", "2026-04-10T08:00:00Z")
    tree.azure(
        "g2",
        "2026-04-11T08:00:00Z",
        exportName="other",
        scope="/subscriptions/2/providers/Microsoft.CostManagement/exports/",
    )
    assert len(tree.choose()[0]) == 2


def test_actual_and_amortised_of_one_month_are_two_deliveries(tree):
    tree.azure("g1", "2026-04-10T08:00:00Z")
    tree.azure("g2", "2026-04-10T08:00:00Z", exportName="spread", type="AmortizedCost")
    chosen, told = tree.choose()
    assert [(one.kind, one.period) for one in chosen] == [("azure_actual", "2026-04"), ("azure_amortized", "2026-04")]
    assert not told


def test_one_bill_in_two_forms_is_warned_of(tree):
    tree.azure("g1", "2026-04-10T08:00:00Z")
    tree.azure("g2", "2026-04-10T08:00:00Z", exportName="focus", type="FocusCost")
    chosen, told = tree.choose()
    assert [one.kind for one in chosen] == ["azure_actual", "focus"]
    assert told["same-bill-twice"].level == "warning"


def test_a_run_without_rows_is_a_delivery_without_files(tree):
    old = tree.azure("g1", "2026-04-10T08:00:00Z")
    tree.azure("g2", "2026-04-11T08:00:00Z", parts=0)
    delivery, files, told = only(tree)
    assert (files, delivery.left_out) == (set(), tuple(f"copy/{name}" for name in old))
    assert "no-rows" in told


def test_a_newer_run_of_fewer_days_is_warned_of(tree):
    tree.azure("g1", "2026-04-30T08:00:00Z")
    tree.azure("g2", "2026-05-02T08:00:00Z", start="2026-04-10", end="2026-04-12")
    assert "holds days that it does not" in only(tree)[2]["days-left-out"].message


@pytest.mark.parametrize(
    ("end", "period"),
    [("2026-04-30", "2026-04"), ("2026-05-01", "2026-04"), ("2026-06-30", "2026-04/2026-06"), ("", "2026-04")],
)
def test_the_period_of_a_run_is_its_month(tree, end, period):
    tree.azure("g1", "2026-04-10T08:00:00Z", end=end)
    assert only(tree)[0].period == period


def test_a_file_that_is_shorter_than_its_manifest_says_is_warned_of(tree):
    (name,) = tree.azure("g1", "2026-04-10T08:00:00Z")
    (tree.root / name).write_text((tree.root / name).read_text() + AZURE.splitlines()[1].format(5) + "\n")
    assert "bytes, where its manifest says" in only(tree)[2]["size-differs"].message


@pytest.mark.parametrize("folder", ["data/BILLING_PERIOD=2026-04", "report/20260401-20260501"])
def test_without_a_manifest_the_newest_folder_counts(tree, folder):
    tree.write(f"{folder}/{FIRST}/cur-1.csv", CUR)
    new = {tree.write(f"{folder}/{SECOND}/cur-{part}.csv", CUR) for part in (1, 2)}
    delivery, files, _ = only(tree)
    assert (delivery.period, files) == ("2026-04", new)
    assert delivery.left_out == (f"copy/{folder}/{FIRST}/cur-1.csv",)


def test_without_a_manifest_folders_that_do_not_say_their_age_all_count_and_that_is_said(tree):
    names = {tree.write(f"daily/20260401-20260430/{run}/part_0.csv", AZURE) for run in ("9c-guid", "1f-guid")}
    _, files, told = only(tree)
    assert files == names
    assert "holds 2 folders and nothing that says which is the newest" in told["several-deliveries"].message


def test_parts_of_an_azure_export_that_do_not_tell_are_what_the_others_are(tree):
    spread = tree.write("x/part_0_0001.csv", AZURE.replace("OnDemand", "Reservation"))
    plain = tree.write("x/part_1_0002.csv", AZURE)
    other = tree.write("x/actual.csv", AZURE)
    chosen, _ = tree.choose()
    assert {one.kind: tree.paths(one) for one in chosen} == {
        "azure_amortized": {spread, plain},
        "azure_actual": {other},
    }


def test_the_same_bytes_count_once_and_are_said(tree):
    first = tree.write("a/bill.csv", FOCUS.format("7"))
    tree.write("b/copy of bill.csv", FOCUS.format("7"))
    tree.write("b/next.csv", FOCUS.format("8"))
    chosen, told = tree.choose()
    assert sum(len(one.files) for one in chosen) == 2
    assert first in {name for one in chosen for name in tree.paths(one)}
    assert told["duplicate-delivery"].message.endswith(
        "copy of bill.csv holds the same bytes as copy/a/bill.csv, and counts once"
    )


def test_a_copy_of_what_a_manifest_lists_counts_once(tree):
    (name,) = tree.aws("2026-04", FIRST, parts=1)
    tree.write("elsewhere/cur.csv", (tree.root / name).read_text())
    _, files, told = only(tree)
    assert (files, "duplicate-delivery" in told) == ({name}, True)


def test_two_copies_of_a_bucket_count_once(tree):
    names = tree.aws("2026-04", FIRST)
    for path in [path for path in tree.root.rglob("*") if path.is_file()]:
        tree.write(f"again/{path.relative_to(tree.root)}", path.read_text())
    delivery, files, _ = only(tree)
    assert files in (names, {f"again/{name}" for name in names})
    assert len(delivery.left_out) == len(names)


def test_the_same_folder_given_twice_counts_once(tree):
    names = tree.aws("2026-04", FIRST)
    assert only(tree, "", "cur", "cur/data/../metadata")[1] == names


def test_what_is_no_bill_in_a_folder_is_passed_over_but_not_when_it_was_named(tree):
    bill = tree.write("x/bill.csv", FOCUS)
    for name, content in {
        "README.md": "# bills",
        "_SUCCESS": "",
        "bill.csv.md5": "d41d8  bill.csv",
        ".a.crc": "crc\0",
    }.items():
        tree.write(f"x/{name}", content)
    _, files, told = only(tree)
    assert (files, told["passed-over"].level) == ({bill}, "note")
    shown = "copy/x/.a.crc, copy/x/README.md, copy/x/_SUCCESS and 1 more"
    assert told["passed-over"].message == f"{shown} are no exports that are understood, and were passed over"
    with pytest.raises(InputError, match=r"^README\.md: is text with the columns # bills, no export"):
        tree.choose("x/README.md", "x/bill.csv")


def test_a_damaged_bill_in_a_folder_is_not_passed_over(tree):
    tree.write("x/bill.csv", FOCUS)
    (tree.root / "x/cur.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(InputError, match=r"^cur\.parquet: cannot be read"):
        tree.choose()


def test_text_that_is_not_utf8_is_warned_of(tree):
    tree.write("x/bill.csv", FOCUS)
    (tree.root / "x/bill.csv").write_bytes("BilledCost,ChargeCategory,Tags\n1,Usage,M\u00fcnchen\n".encode("latin-1"))
    assert tree.choose()[1]["not-utf-8"].level == "warning"


def test_files_carry_what_readers_need(tree):
    tree.write("x/bill.csv", FOCUS)
    (delivery,), _ = tree.choose("x/bill.csv")
    assert delivery.files == (File(path=str(tree.root / "x/bill.csv"), name="bill.csv", kind="focus"),)


@settings(max_examples=25, deadline=None)
@given(
    history=st.lists(
        st.tuples(st.sampled_from(["2026-04", "2026-05"]), st.integers(1, 28), st.integers(1, 3)),
        min_size=1,
        max_size=6,
        unique_by=lambda one: one[:2],
    ),
    shuffle=st.randoms(use_true_random=False),
    with_manifests=st.booleans(),
)
def test_whatever_was_delivered_each_period_counts_once_and_every_file_is_accounted_for(
    tmp_path_factory, history, shuffle, with_manifests
):
    tree = Tree(tmp_path_factory.mktemp("history") / "copy")
    newest, everything = {}, set()
    for period, day, parts in history:
        names = tree.aws(period, f"202606{day:02}T000000Z-{day}", parts=parts)
        everything |= names
        newest[period] = max(newest.get(period, (0, set())), (day, names), key=lambda one: one[0])
    found = [
        file for file in resolve([str(tree.root)], scratch=tree.root) if with_manifests or "metadata" not in file.where
    ]
    shuffle.shuffle(found)
    chosen, _ = choose(found)
    assert {one.period: tree.paths(one) for one in chosen} == {period: names for period, (_, names) in newest.items()}
    left = {name.removeprefix("copy/") for one in chosen for name in one.left_out}
    assert left == everything - {name for one in chosen for name in tree.paths(one)}
