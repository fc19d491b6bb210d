"""A profile is what an installation or a region can choose, and then what the planner runs with."""

import pytest

from app.settings import SettingError, Settings
from app.wiring.params import cycle_of
from benchmarks.mdrp import MEAL
from dispatch.aside import Aside
from dispatch.planning.params import Bundling
from dispatch.planning.profiles import PROFILES, Profile
from dispatch.region.settings import in_force


@pytest.mark.parametrize("profile", Profile)
def test_region_and_installation_can_choose_every_profile(profile):
    by_region = in_force(cycle_of(Settings()), {"dispatch": {"profile": profile.value}}, Aside())
    by_installation = cycle_of(Settings.from_env({"POSTRIDER_DISPATCH_PROFILE": profile.value}))
    assert by_region == by_installation
    assert by_region.plan == PROFILES[profile]


def test_what_a_region_sets_for_itself_stands_over_its_profile():
    settings = {"dispatch": {"commit_lead_s": 45, "profile": "meal", "weights": {"delivery": 7}}}
    plan = in_force(cycle_of(Settings()), settings, Aside()).plan
    assert (plan.commit_lead_s, plan.weights.delivery) == (45, 7)
    assert (plan.min_gain, plan.weights.lateness, plan.thorough) == (60, 10, True)


def test_region_may_go_back_from_the_installation_s_profile():
    installation = cycle_of(Settings(dispatch_profile="meal"))
    assert in_force(installation, {"dispatch": {"profile": "quick"}}, Aside()) == cycle_of(Settings())


def test_unknown_profile_keeps_the_program_from_starting_and_says_which_there_are():
    with pytest.raises(SettingError, match="expected one of meal, parcel, quick"):
        Settings.from_env({"POSTRIDER_DISPATCH_PROFILE": "pizza"})


def test_benchmark_plans_as_a_region_does_that_only_chose_the_profile():
    assert in_force(cycle_of(Settings()), {"dispatch": {"profile": "meal"}}, Aside()).quick_plan == MEAL


def test_quick_plan_leaves_the_solver_that_holds_the_interpreter_to_the_other_process():
    on_the_way = in_force(cycle_of(Settings()), {"dispatch": {"profile": "meal", "bundling": "on_the_way"}}, Aside())
    assert on_the_way.plan.bundling is Bundling.ON_THE_WAY
    assert on_the_way.quick_plan.search_iterations is None
    assert on_the_way.long_plan.search_s == on_the_way.search_s > 0
