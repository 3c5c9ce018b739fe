"""Which rows are GPU machines, whose they are, and how they were bought."""

import pytest

BARE = {"product_instance_type": "", "product_product_family": "", "line_item_availability_zone": "us-west-2b"}


def only(told, *rows):
    (row,) = told(*rows).charges.iter_rows(named=True)
    return row


def test_spot_rows_tell_their_type_by_description_or_usage_type(told, cur):
    spot = {**BARE, "line_item_usage_type": "USW2-SpotUsage:g5.xlarge"}
    said = {"line_item_line_item_description": "p5.48xlarge Linux/UNIX Spot Instance-hour in US West"}
    row = only(told, cur.machine(**spot, **said))
    assert (row["instance_type"], row["purchase_option"], row["region"]) == ("p5.48xlarge", "spot", "us-west-2")
    row = only(told, cur.machine(**spot, line_item_line_item_description="Spot"))
    assert (row["gpu_model"], row["gpu_hours"]) == ("A10G-24GB", 1.0)


@pytest.mark.parametrize(
    ("tags", "workload"),
    [
        ({"user_workload": "w", "user_app": "a", "user_name": "n"}, "w"),
        ({"user_app_kubernetes_io_name": "k", "user_app": "a"}, "k"),
        ({"user_app": "", "aws_autoscaling_group_name": "asg", "user_name": "n"}, "asg"),
        ({"user_name": "n"}, "n"),
        ({}, "111122223333/p5.48xlarge"),
    ],
)
def test_a_machine_outside_of_clusters_is_named_by_its_tags(told, cur, tags, workload):
    row = only(told, cur.machine(resource_tags=tags))
    assert (row["workload"], row["node"], row["gpu_hours"]) == (workload, "i-0a", 8.0)


def test_training_jobs_of_sagemaker_are_machines(told, cur):
    job = cur.machine(
        line_item_operation="RunInstance", line_item_usage_type="USE1-Train:ml.p5.48xlarge",
        product_product_family="ML Instance",
        product_instance_type="ml.p5.48xlarge", resource_tags={"user_workload": "pretrain"},
        line_item_resource_id="arn:aws:sagemaker:us-east-1:111122223333:training-job/pretrain-7",
    )  # fmt: skip
    row = only(told, job)
    assert (row["instance_type"], row["gpu_hours"], row["workload"]) == ("p5.48xlarge", 8.0, "pretrain")


@pytest.mark.parametrize(
    "cells",
    [
        {"line_item_usage_type": "USE1-DataTransfer-Out-Bytes", "product_product_family": "Data Transfer"},
        {
            "line_item_usage_type": "EBS:VolumeUsage.gp3",
            "product_product_family": "Storage",
            "product_instance_type": "",
        },
        {"line_item_operation": "Hourly", "line_item_usage_type": "EBSOptimized:p5.48xlarge"},
        {"product_instance_type": "m5.xlarge", "line_item_usage_type": "USE1-BoxUsage:m5.xlarge"},
    ],
)
def test_other_costs_of_instances_are_no_machines(told, cur, cells):
    row = only(told, cur.machine(**cells))
    assert (row["residual"], row["node"], row["gpu_hours"], row["billed_cost"]) == ("other", None, 0.0, 55.04)


def test_an_unknown_accelerated_type_is_unsupported_and_said_with_its_amount(told, cur):
    one = told(cur.machine(product_instance_type="p99.48xlarge"))
    assert one.charges["residual"].to_list() == ["unsupported"]
    assert "p99.48xlarge (55.04)" in next(d.message for d in one.found() if d.code == "unknown-instance-type")


def test_pods_prorate_the_purchase_options_of_their_machine(told, cur):
    plan = {"savings_plan_savings_plan_a_r_n": "arn:sp", "line_item_line_item_type": "SavingsPlanCoveredUsage",
            "savings_plan_savings_plan_effective_cost": 8.0}  # fmt: skip
    one = told(
        cur.machine(**plan, line_item_usage_amount=0.25, line_item_unblended_cost=13.76),
        {"line_item_line_item_type": "SavingsPlanNegation", "line_item_unblended_cost": -13.76},
        cur.machine(line_item_usage_amount=0.75, line_item_unblended_cost=41.28),
        cur.pod("ns/train-x2vkq", "Accelerator", split=24.64, split_line_item_split_usage=4.0),
    )
    work = one.usage.filter(workload="ns/train").sort("purchase_option")
    assert work.select("purchase_option", "gpu_hours").rows() == [("on_demand", 3.0), ("savings_plan", 1.0)]
    assert work["effective_cost"].to_list() == pytest.approx([20.64, 4.0])
