"""The policy file: what it may contain, and how each problem is reported with its place."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.policy import Grant, Policy, Protected, Quota, Role, Rules, SecondPerson
from bot.policy_file import PolicyError, notes, parse_policy, read_policy, unknown_presets, warnings
from tests.sandbox.sandbox import EXAMPLE_POLICY

HERE = Path("policy.toml")
MAYA = {"who": ["U0MAYA"], "role": "moderator"}
HAL = {"who": ["U0HAL"], "role": "helper"}
ASKING = {"grant": [MAYA], "approvals_channel": "C0MODS"}
NOBODY_KICKS = "grant: nobody may kick; at least one moderator or lead is needed"
NO_CHANNEL = "approvals_channel: is missing; second_person asks people there"
ALONE = 'rules.second_person: "always" needs two people who may decide; there is one'
UNITS = {"s": 1, "m": 60, "h": 3600}


def parsed(given_policy: dict[str, Any]) -> Policy:
    return parse_policy(given_policy, HERE)


def faults(given_policy: dict[str, Any]) -> list[str]:
    with pytest.raises(PolicyError) as raised:
        parsed(given_policy)
    return raised.value.problems


def rules(**changed: Any) -> dict[str, Any]:
    return {"grant": [MAYA], "rules": changed}


def test_the_least_policy_is_one_grant() -> None:
    assert parsed({"grant": [MAYA]}) == Policy(
        (Grant(frozenset({"U0MAYA"}), frozenset(), Role.MODERATOR),)  # type: ignore[arg-type]
    )


def test_everything_that_can_be_said_is_understood() -> None:
    policy = parsed(
        {
            "approvals_channel": "C0MODS",
            "ping": ["S0DUTY", "S0MODS"],
            "grant": [
                {"who": ["U0MAYA", "W0GRID", "S0MODS"], "role": "lead", "meetings": ["Weekly*"]},
                {"who": ["U0HAL"], "role": "helper"},
            ],
            "rules": {
                "second_person": "bulk",
                "bulk": 5,
                "expires": "90s",
                "reason": "optional",
                "reasons": ["Spam"],
                "protected": {"presets": ["host"], "custom_ids": ["staff-*"]},
                "max_targets": "3/1h",
            },
        }
    )
    first, second = policy.grants
    assert set[str](first.users) == {"U0MAYA", "W0GRID"}
    assert set[str](first.groups) == {"S0MODS"}
    assert (first.role, first.meetings) == (Role.LEAD, ("Weekly*",))
    assert (second.role, second.meetings) == (Role.HELPER, ("*",))
    assert policy.approvals_channel == "C0MODS"
    assert policy.ping == ("S0DUTY", "S0MODS")
    assert policy.groups == {"S0MODS"}  # the groups of `ping` get no role
    assert policy.rules == Rules(
        second_person=SecondPerson.BULK,
        bulk=5,
        expires=timedelta(seconds=90),
        reason_required=False,
        reasons=("Spam",),
        protected=Protected(frozenset({"host"}), ("staff-*",)),
        quota=Quota(3, timedelta(hours=1)),
    )


def test_the_example_is_a_good_policy() -> None:
    policy = read_policy(EXAMPLE_POLICY)
    assert policy.rules.second_person is SecondPerson.BULK
    assert (policy.rules.bulk, policy.rules.expires) == (3, timedelta(minutes=10))
    assert (policy.approvals_channel, policy.ping) == ("C0MODS", ("S0MODS",))
    assert warnings(policy) == []
    assert {grant.role for grant in policy.grants} == set(Role)


@pytest.mark.parametrize(
    ("policy", "fault"),
    [
        ({}, "grant: is missing"),
        ({"grant": []}, "grant: List should have at least 1 item"),
        ({"grant": [MAYA], "grants": []}, "grants: no such key"),
        ({"grant": [{**MAYA, "whom": []}]}, "grant[1].whom: no such key"),
        ({"grant": [MAYA, {"role": "lead"}]}, "grant[2].who: is missing"),
        ({"grant": [MAYA, {"who": ["U0LEA"]}]}, "grant[2].role: is missing"),
        ({"grant": [MAYA | {"who": []}]}, "grant[1].who: List should have at least 1 item"),
        ({"grant": [MAYA | {"who": "U0MAYA"}]}, "grant[1].who: Input should be a valid list"),
        ({"grant": [MAYA | {"who": ["U0MAYA", "maya"]}]}, "grant[1].who[2]: 'maya' is no Slack id"),
        ({"grant": [MAYA | {"who": ["@maya"]}]}, "grant[1].who[1]: '@maya' is no Slack id"),
        ({"grant": [MAYA | {"who": ["C0LIVE"]}]}, "grant[1].who[1]: 'C0LIVE' is no Slack id"),
        ({"grant": [MAYA | {"who": ["u0maya"]}]}, "grant[1].who[1]: 'u0maya' is no Slack id"),
        ({"grant": [MAYA | {"who": ["*"]}]}, "grant[1].who[1]: '*' is no Slack id"),
        ({"grant": [MAYA | {"role": "admin"}]}, "grant[1].role: should be one of helper, moder"),
        ({"grant": [MAYA | {"role": 3}]}, "grant[1].role: should be one of"),
        ({"grant": [MAYA | {"role": "Lead"}]}, "grant[1].role: should be one of"),
        ({"grant": [MAYA | {"meetings": []}]}, "grant[1].meetings: List should have at least 1"),
        ({"grant": [MAYA | {"meetings": [""]}]}, "grant[1].meetings[1]: String should have at le"),
        ({"grant": [MAYA], "approvals_channel": "#mods"}, "approvals_channel: '#mods' is no chann"),
        ({"grant": [MAYA], "approvals_channel": "U0MO"}, "approvals_channel: 'U0MO' is no channel"),
        ({"grant": [MAYA], "approvals_channel": ["C0MODS"]}, "approvals_channel: Input should be"),
        (ASKING | {"ping": ["S0MODS", "U0MO"]}, "ping[2]: 'U0MO' is no user group's id: those st"),
        (ASKING | {"ping": ["@mods"]}, "ping[1]: '@mods' is no user group's id"),
        (ASKING | {"ping": "S0MODS"}, "ping: Input should be a valid list"),
        (rules(second="always"), "rules.second: no such key"),
        (rules(second_person="sometimes"), "rules.second_person: Input should be 'never', 'bulk'"),
        (rules(bulk=0), "rules.bulk: "),
        (rules(bulk=26), "rules.bulk: "),
        (rules(bulk=True), "rules.bulk: "),
        (rules(bulk="3"), "rules.bulk: "),
        (rules(expires="10"), 'rules.expires: should be a duration such as "10m"'),
        (rules(expires="0m"), "rules.expires: should be a duration"),
        (rules(expires=600), "rules.expires: should be a duration"),
        (rules(reason="yes"), "rules.reason: "),
        (rules(reasons=["x"] * 10), "rules.reasons: List should have at most 9 items"),
        (rules(reasons=["x" * 76]), "rules.reasons[1]: String should have at most 75"),
        (rules(reasons=[""]), "rules.reasons[1]: String should have at least 1"),
        (rules(protected={"preset": []}), "rules.protected.preset: no such key"),
        (rules(protected={"presets": "host"}), "rules.protected.presets: Input should be a valid"),
        (rules(protected={"custom_ids": [""]}), "rules.protected.custom_ids[1]: "),
        (rules(max_targets="20"), 'rules.max_targets: should be people per duration, such as "20'),
        (rules(max_targets="0/10m"), "rules.max_targets: should be people per duration"),
        (rules(max_targets="20/10"), "rules.max_targets: should be a duration"),
        (rules(max_targets=20), "rules.max_targets: should be people per duration"),
        (rules(max_targets="9" * 5000 + "/1m"), "rules.max_targets: "),
    ],
)
def test_a_fault_is_named_with_its_place(policy: dict[str, Any], fault: str) -> None:
    (found,) = faults(policy)
    assert found.startswith(fault)


def no_channel_for(at: int) -> str:
    return f"grant[{at}].role: a helper needs an approvals_channel; what they ask is decided there"


@pytest.mark.parametrize(
    ("policy", "found"),
    [
        (ASKING | {"grant": [HAL]}, [NOBODY_KICKS]),
        (rules(second_person="bulk"), [NO_CHANNEL]),
        ({"grant": [HAL, MAYA, HAL]}, [no_channel_for(1), no_channel_for(3)]),
        (
            {"grant": [MAYA], "ping": ["S0MODS"]},
            ["ping: needs an approvals_channel; what mentions the groups is posted there"],
        ),
        (ASKING | rules(second_person="always"), [ALONE]),
        (
            {"grant": [MAYA, HAL], "rules": {"second_person": "always"}},
            [NO_CHANNEL, no_channel_for(2), ALONE],
        ),
        (
            {"grant": [{"who": ["U0MAYA"], "role": "lead"}, MAYA, {**HAL, "who": ["S0MODS"]}]}
            | {"approvals_channel": "C0MODS", "rules": {"second_person": "always"}},
            [ALONE],
        ),
    ],
    ids=["nobody", "no-channel", "helper", "ping", "one-decider", "all-three", "one-by-two-grants"],
)
def test_a_contradiction_is_named(policy: dict[str, Any], found: list[str]) -> None:
    assert faults(policy) == found


@pytest.mark.parametrize(
    ("policy", "found"),
    [
        ({"colour": 1, "grant": [HAL]}, ["colour", "grant[1].role", "grant"]),
        (rules(second_person="always", bulk=0), ["rules.bulk", "approvals_channel", ALONE[:19]]),
        ({"grant": [MAYA, HAL], "rules": "few"}, ["rules", "grant[2].role"]),
        (rules(second_person="sometimes", bulk=0), ["rules.second_person", "rules.bulk"]),
        (
            {"grant": [MAYA], "ping": ["S0MODS"], "rules": {"expires": "x"}},
            ["rules.expires", "ping"],
        ),
        ({"grant": [MAYA, HAL], "approvals_channel": "#mods"}, ["approvals_channel"]),
        ({"grant": [HAL | {"who": []}]}, ["grant[1].who"]),
        ({"grant": [HAL | {"who": []}], "ping": ["S0MODS"]}, ["grant[1].who", "ping"]),
        (rules(second_person="bulk") | {"grant": []}, ["grant", "approvals_channel"]),
        ({"grant": [MAYA], "ping": ["U0MO"]}, ["ping[1]"]),
    ],
)
def test_what_is_faulty_contradicts_nothing_and_hides_no_contradiction(
    policy: dict[str, Any], found: list[str]
) -> None:
    assert [fault.partition(":")[0] for fault in faults(policy)] == found


TWO = [["U0MAYA", "U0LEA"], ["S0MODS"], ["U0MAYA", "S0MODS"]]


@pytest.mark.parametrize("who", TWO)
@pytest.mark.parametrize("second_person", SecondPerson)
def test_two_people_or_a_group_can_decide(who: list[str], second_person: SecondPerson) -> None:
    grant = {"who": who, "role": "lead"}
    policy = parsed(ASKING | rules(second_person=second_person.value) | {"grant": [grant]})
    assert policy.rules.second_person is second_person
    assert warnings(policy) == []


def test_that_there_is_no_second_person_for_many_is_a_warning() -> None:
    policy = parsed(ASKING | {"grant": [MAYA, HAL], "rules": {"second_person": "bulk", "bulk": 5}})
    assert warnings(policy) == [
        'rules.second_person: "bulk" wants a second person for more than 5; only one may decide'
    ]


def test_brackets_in_a_pattern_are_a_warning() -> None:
    guarded = {"protected": {"custom_ids": ["staff-[0-9]*", "staff-*"]}}
    policy = parsed({"grant": [MAYA | {"meetings": ["[Team A]*", "Team]"]}], "rules": guarded})
    assert warnings(policy) == [
        "grant[1].meetings: the brackets in '[Team A]*' are taken literally; wildcards are * and ?",
        (
            "rules.protected.custom_ids: the brackets in 'staff-[0-9]*' are taken literally;"
            " wildcards are * and ?"
        ),
    ]


def test_the_id_of_a_meeting_is_read_in_any_case_and_needs_no_note() -> None:
    uuid = "5b0a0c1e-7a51-4a7b-9d0f-3a5d4c2b1e00"
    policy = parsed({"grant": [MAYA | {"meetings": [f" {uuid.upper()}"]}, MAYA]})
    assert policy.grants[0].meetings == (uuid,)
    assert notes(policy) == []


def test_a_pattern_of_titles_needs_a_note() -> None:
    policy = parsed({"grant": [MAYA, MAYA | {"meetings": ["Weekly*", "*", "AMA"]}]})
    assert notes(policy) == [
        (
            "grant[2].meetings: whoever names meetings decides which fit 'Weekly*', 'AMA';"
            " to be safe, name meetings by id"
        )
    ]


def test_a_protected_preset_that_the_app_does_not_have_is_named() -> None:
    policy = parsed({"grant": [MAYA], "rules": {"protected": {"presets": ["Host ", "boss"]}}})
    assert unknown_presets(policy, ["host", "guest"]) == [
        (
            "rules.protected.presets: the app has no preset 'boss', so it protects nobody;"
            " the app has: guest, host"
        )
    ]
    assert unknown_presets(policy, ["host", "BOSS"]) == []
    assert "the app has: none" in unknown_presets(policy, [])[0]


def test_one_person_alone_needs_no_warning_where_nobody_is_asked() -> None:
    assert warnings(parsed({"grant": [MAYA]})) == []


def test_all_faults_come_at_once_each_on_its_line(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(
        """
        colour = "red"
        [[grant]]
        who = ["maya"]
        role = "boss"
        [rules]
        bulk = 99
        """
    )
    with pytest.raises(PolicyError) as raised:
        read_policy(file)
    lines = str(raised.value).splitlines()
    assert all(line.startswith(f"{file}: ") for line in lines)
    places = [line.removeprefix(f"{file}: ").partition(":")[0] for line in lines]
    assert sorted(places) == ["colour", "grant[1].role", "grant[1].who[1]", "rules.bulk"]


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"[[grant", "is no TOML: "), (b"\xff", "is no TOML: "), (b"", "grant: is missing")],
    ids=["half", "no-utf-8", "empty"],
)
def test_a_file_that_is_no_policy_is_said_to_be_none(
    tmp_path: Path, content: bytes, words: str
) -> None:
    file = tmp_path / "policy.toml"
    file.write_bytes(content)
    with pytest.raises(PolicyError, match=words):
        read_policy(file)


def test_a_file_that_is_not_there_or_a_folder_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="can't be read: No such file or directory"):
        read_policy(tmp_path / "none.toml")
    with pytest.raises(PolicyError, match="can't be read: Is a directory"):
        read_policy(tmp_path)


@given(st.integers(1, 999_999), st.sampled_from("smh"))
def test_a_duration_is_a_number_and_a_unit(number: int, unit: str) -> None:
    policy = parsed(rules(expires=f"{number}{unit}"))
    assert policy.rules.expires == timedelta(seconds=number * UNITS[unit])


@given(st.integers(1, 10**9), st.integers(1, 999_999), st.sampled_from("smh"))
def test_a_quota_is_people_per_duration(people: int, number: int, unit: str) -> None:
    policy = parsed(rules(max_targets=f"{people}/{number}{unit}"))
    assert policy.rules.quota == Quota(people, timedelta(seconds=number * UNITS[unit]))


@given(st.text() | st.integers() | st.none() | st.floats() | st.lists(st.text()))
def test_whatever_else_stands_there_is_a_fault_or_a_positive_time(text: object) -> None:
    places: set[str] = set()
    try:
        assert parsed(rules(expires=text, max_targets=text)).rules.expires > timedelta()
    except PolicyError as error:
        places = {fault.partition(":")[0] for fault in error.problems}
    assert places <= {"rules.expires", "rules.max_targets"}
