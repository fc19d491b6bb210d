"""The MDRP command on a published instance: JSON of the agreed shape, solution files, no rule broken."""

import json

from benchmarks.mdrp import main

KEYS = {
    "undelivered_pct",
    "click_to_door_mean",
    "click_to_door_p90",
    "overage_mean",
    "ready_to_pickup_mean",
    "ready_to_pickup_p90",
    "cost_per_order",
    "orders_per_bundle",
    "decision_p99_ms",
    "decision_max_ms",
}


def test_published_day_is_delivered_within_the_rules_and_better_than_the_published_heuristic(
    data_folder, tmp_path, capsys
):
    """0r50t75s2p125: Reyes et al. reach 33.41 minutes from click to door."""
    folder = data_folder / "mdrp" / "0r50t75s2p125"
    assert main([str(folder), "--json", "--solutions", str(tmp_path)]) == 0
    result = json.loads(capsys.readouterr().out)
    row = result["instances"]["0r50t75s2p125"]
    assert set(row) == set(result["mean"]) == KEYS
    assert row["undelivered_pct"] == 0
    assert row["click_to_door_mean"] < 33.41
    lines = (tmp_path / "0r50t75s2p125" / "solution_info_orders.txt").read_text().splitlines()
    assert len(lines) == 1 + 242
