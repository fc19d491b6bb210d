"""Each step that the runbook tells for a disaster is executed by a test; this is where it is said by which."""

import ast
import re
from typing import Final

import pytest

from tests.unit.deploy.test_alerts import ROOT, RUNBOOK

FAULTS: Final = "acceptance/test_faults.py::"
BACKUP: Final = "acceptance/test_backup.py::test_"
KILLED: Final = FAULTS + "test_kill_in_the_middle_of_a_replay_loses_and_doubles_nothing"
OUTAGE: Final = (
    "integration/tracking/history/test_writer_outages.py"
    "::test_what_was_accepted_is_stored_to_the_fix_whatever_the_server_says"
)
LOST: Final = "acceptance/test_lost_database.py::test_"
CLUSTER: Final = "acceptance/test_redis_cluster.py::test_"
HEALTH: Final = "acceptance/test_health.py::test_"
SERVERS: Final = "acceptance/test_health_of_servers.py::test_"

EXECUTED: Final[dict[tuple[str, int], tuple[str, ...]]] = {
    ("Redis lost", 1): (f"{KILLED}[redis]",),
    ("Redis lost", 2): (FAULTS + "test_emptied_redis_shows_the_last_positions_again",),
    ("Redis lost", 3): (CLUSTER + "a_killed_primary_costs_no_fix_that_was_taken_and_the_other_regions_nothing",),
    ("PostgreSQL lost", 1): (f"{KILLED}[postgres]",),
    ("PostgreSQL lost", 2): (
        BACKUP + "a_lost_database_is_restored_beside_a_redis_that_lives_and_what_its_log_has_is_stored_again",
        LOST + "a_database_goes_back_to_the_moment_before_a_mistake",
    ),
    ("Read-only after a failover", 1): (
        LOST + "a_standby_takes_over_and_what_waited_is_stored",
        HEALTH + "a_database_that_cannot_be_written_is_no_place_to_send_anybody",
    ),
    ("Disk full", 1): (f"{OUTAGE}[disk-full]", SERVERS + "a_redis_that_takes_no_writes_is_not_ready"),
    ("Disk full", 2): (
        "integration/app/test_retention.py::test_what_is_older_than_its_setting_goes_and_the_rest_stays",
    ),
    ("Keys rotated", 1): (f"{OUTAGE}[password-rotated]",),
    ("Keys rotated", 2): (
        "acceptance/test_couriers.py::test_device_token_works_until_revoked",
        "acceptance/test_commands_of_the_pages.py::test_a_phone_gets_its_token_as_the_page_says",
    ),
    ("Keys rotated", 3): ("acceptance/test_webhooks.py::test_test_button_resend_and_a_new_secret_beside_the_old_one",),
    ("Moved to another machine", 1): (BACKUP + "what_was_acknowledged_is_in_the_backup_wherever_it_was",),
    ("Moved to another machine", 2): (
        BACKUP + "a_fix_that_is_only_in_the_log_is_restored_and_a_broken_backup_is_refused",
    ),
}


def told_steps() -> set[tuple[str, int]]:
    """The numbered steps of every disaster of the runbook."""
    disasters = RUNBOOK.read_text().partition("## Disasters")[2]
    parts = re.split(r"^#### (.+)\n", disasters, flags=re.MULTILINE)[1:]
    return {
        (name, int(number))
        for name, text in zip(parts[::2], parts[1::2], strict=True)
        for number in re.findall(r"^(\d+)\. ", text, flags=re.MULTILINE)
    }


def test_each_step_of_the_runbook_is_executed_by_a_test():
    assert told_steps() == EXECUTED.keys()


@pytest.mark.parametrize("node", sorted({node for nodes in EXECUTED.values() for node in nodes}))
def test_the_test_of_a_step_is_there(node):
    file, _, name = node.partition("::")
    function, _, case = name.partition("[")
    text = (ROOT / "tests" / file).read_text()
    names = {one.name for one in ast.parse(text).body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert function in names
    assert f'"{case.removesuffix("]")}"' in text or not case
