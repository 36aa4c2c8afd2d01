"""Who may: every route says so, and another clinic's id behaves exactly like one that does not exist."""

import re
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from api.visit import Visit, who_may
from models.database import Database
from models.operations.policy import SCOPES
from models.refusals import NotAllowed
from models.safety.rules import RULES
from models.tables import Role
from tests.api.conftest import Clinic, assert_problem
from tests.builders import NOON, a_client_draft
from tests.conftest import nowhere

ALL_RULES = sorted(RULES)
STAFF = {Role.ADMIN, Role.THERAPIST}
EVERYONE = set(Role)
SAYING = {*STAFF, Role.PATIENT, Role.PROXY, Role.INTEGRATION}
"""Everyone but those who only read."""
PHONES = {Role.PATIENT, Role.PROXY}
READERS = {*STAFF, Role.INTEGRATION, Role.AUDITOR}
"""Whoever sees what the clinic noted."""
OWN_LOGIN = {*STAFF, Role.AUDITOR}
"""Whoever signs in by password."""
RECORDERS = {*STAFF, Role.INTEGRATION}
SESSION = {
    "program_id": "{program_id}",
    "performed_at": "2025-03-03T12:00:00Z",
    "time_zone": "UTC",
    "local_date": "2025-03-03",
    "done": "all",
}
CLIENT = {"name": "Another system", "scopes": ["records:read"], "keys": a_client_draft().keys}
BODIES: dict[str, dict[str, Any]] = {
    "create_patient": {"given_name": "A", "family_name": "B"},
    "amend_patient": {"given_name": "A", "family_name": "B"},
    "record_screening": {"answers": {"RF-01": False}},
    "create_program": {"protocol": "neck-posture-desk"},
    "record_condition": {"code": "osteoporosis", "status": "confirmed"},
    "amend_condition": {"code": "oa-hand", "status": "resolved"},
    "examine_patient": {"pain": 4},
    "answer_check_in": {"pain": 4},
    "answer_patients_check_in": {"pain": 4},
    "answer_week": {"pain": 4},
    "record_measurement": {"code": "pain", "score": 4},
    "revise_program": {
        "phases": [
            {
                "label": "All along",
                "items": [
                    {"exercise": "bird-dog", "side": "both", "dosage": {"sets": 2, "reps": 8, "days_per_week": 3}}
                ],
            }
        ],
        "acknowledged": ALL_RULES,
    },
    "declare_flare": {},
    "review_program": {},
    "activate_program": {"acknowledged": ALL_RULES},
    "teach_program": {"lines": [{"line_id": "{line_id}", "teach_back": "shown"}]},
    "save_protocol": {
        "slug": "our-own",
        "name": "Ours",
        "indication": "Ours",
        "phases": [
            {"label": "A", "items": [{"exercise": "bird-dog", "dosage": {"sets": 2, "reps": 8, "days_per_week": 3}}]}
        ],
        "maintenance": [{"exercise": "bird-dog", "dosage": {"sets": 2, "reps": 8, "days_per_week": 3}}],
    },
    "amend_protocol": {
        "name": "Ours",
        "indication": "Ours",
        "phases": [
            {"label": "A", "items": [{"exercise": "bird-dog", "dosage": {"sets": 2, "reps": 8, "days_per_week": 3}}]}
        ],
        "maintenance": [{"exercise": "bird-dog", "dosage": {"sets": 2, "reps": 8, "days_per_week": 3}}],
    },
    "switch_rule": {"severity": "info"},
    "move_thresholds": {"low_amber": 0.75},
    "decide_report_settings": {"smallest_cell": 7},
    "pause_program": {"from_on": "2025-03-10", "to_on": "2025-03-12", "reason": "holiday"},
    "discharge_patient": {"maintenance": {"protocol": "neck-posture-desk"}, "acknowledged": ALL_RULES},
    "stop_program": {"reason": "no_time"},
    "create_staff": {"role": "admin", "name": "A", "email": "a@b.example", "password": "long enough for this"},
    "change_password": {"present": "long enough for this", "password": "another one of such length"},
    "begin_second_factor": {"present": "long enough for this"},
    "confirm_second_factor": {"otp": "123456"},
    "renew_recovery_codes": {"otp": "123456"},
    "take_off_second_factor": {"otp": "123456"},
    "decide_sign_in_rules": {"second_factor_required": False},
    "create_webhook": {"url": "https://hooks.example/new"},
    "amend_webhook": {"url": "https://hooks.example/other"},
    "request_export": {"content": "sessions"},
    "log_session": SESSION,
    "snooze_flag": {"days": 7},
    "close_flag": {"because": "handled"},
    "name_carer": {
        "name": "Cara Archer",
        "relationship": "daughter",
        "consent_by": "patient",
        "consented_on": "2025-03-03",
    },
    "decide_access_settings": {"shares_caseloads": True},
    "create_client": CLIENT,
    "amend_client": CLIENT,
    "erase_patient": {"reason": "Asked for in writing", "family_name": "Archer"},
    "give_consent": {"purpose": "reminders", "text_version": "2025-01", "given_by": "patient"},
    "decide_retention_settings": {"keep_records_years": 12},
    "record_outreach": {"channel": "phone", "outcome": "no_answer"},
    "push_items": {"items": [{"op": "put", "id": "{session_id}", "session": SESSION}]},
}
MAY: dict[str, set[Role]] = {
    "healthz": set(),
    "readyz": set(),
    "exchange_token": set(),
    "revoke_token": EVERYONE,
    "get_me": EVERYONE,
    "ask_password_reset": set(),
    "set_password": set(),
    "change_password": OWN_LOGIN,
    "list_sign_ins": EVERYONE,
    "revoke_sign_in": EVERYONE,
    "get_second_factor": OWN_LOGIN,
    "begin_second_factor": OWN_LOGIN,
    "confirm_second_factor": OWN_LOGIN,
    "renew_recovery_codes": OWN_LOGIN,
    "take_off_second_factor": OWN_LOGIN,
    "get_sign_in_rules": {*STAFF, Role.AUDITOR},
    "decide_sign_in_rules": {Role.ADMIN},
    "disable_staff": {Role.ADMIN},
    "enable_staff": {Role.ADMIN},
    "invite_staff": {Role.ADMIN},
    "reset_second_factor": {Role.ADMIN},
    "list_staff": {*STAFF, Role.AUDITOR},
    "create_staff": {Role.ADMIN},
    "list_exercises": EVERYONE,
    "get_exercise": EVERYONE,
    "list_protocols": EVERYONE,
    "list_red_flags": EVERYONE,
    "get_protocol": EVERYONE,
    "list_patients": READERS,
    "create_patient": RECORDERS,
    "get_patient": EVERYONE,
    "amend_patient": RECORDERS,
    "list_screenings": READERS,
    "record_screening": RECORDERS,
    "invite_patient": STAFF,
    "list_programs": EVERYONE,
    "create_program": STAFF,
    "get_program": EVERYONE,
    "get_agenda": EVERYONE,
    "activate_program": STAFF,
    "discard_program": STAFF,
    "check_program": READERS,
    "list_checks": READERS,
    "list_suggestions": READERS,
    "list_revisions": EVERYONE,
    "revise_program": STAFF,
    "resume_program": SAYING,
    "declare_flare": SAYING,
    "end_pause": SAYING,
    "end_flare": SAYING,
    "list_reviews": READERS,
    "review_program": STAFF,
    "list_teachings": READERS,
    "teach_program": STAFF,
    "complete_program": STAFF,
    "list_conditions": READERS,
    "record_condition": RECORDERS,
    "amend_condition": RECORDERS,
    "list_examinations": READERS,
    "examine_patient": RECORDERS,
    "list_check_ins": EVERYONE,
    "list_questions": PHONES,
    "answer_check_in": PHONES,
    "answer_patients_check_in": RECORDERS,
    "answer_week": PHONES,
    "list_weeks": EVERYONE,
    "list_measures": EVERYONE,
    "list_series": EVERYONE,
    "record_measurement": SAYING,
    "list_condition_words": EVERYONE,
    "list_care": EVERYONE,
    "list_rules": READERS,
    "get_rule": READERS,
    "switch_rule": {Role.ADMIN},
    "save_protocol": STAFF,
    "amend_protocol": STAFF,
    "pause_program": SAYING,
    "discharge_patient": STAFF,
    "stop_program": SAYING,
    "log_session": SAYING,
    "delete_session": SAYING,
    "push_items": SAYING,
    "pull_changes": PHONES,
    "get_today": PHONES,
    "list_sessions": EVERYONE,
    "list_devices": EVERYONE,
    "revoke_device": {*STAFF, Role.PATIENT},
    "list_unsynced": READERS,
    "get_adherence": EVERYONE,
    "get_relapse_watch": READERS,
    "list_reports": READERS,
    "get_report": READERS,
    "get_report_month": READERS,
    "get_report_settings": READERS,
    "decide_report_settings": {Role.ADMIN},
    "get_worklist": READERS,
    "list_flag_rules": READERS,
    "move_thresholds": {Role.ADMIN},
    "get_flag": READERS,
    "acknowledge_flag": STAFF,
    "snooze_flag": STAFF,
    "close_flag": STAFF,
    "list_outreach": READERS,
    "record_outreach": STAFF,
    "get_timeline": EVERYONE,
    "list_audit_events": {Role.ADMIN, Role.AUDITOR},
    "list_accesses": EVERYONE,
    "list_webhooks": {Role.ADMIN},
    "create_webhook": {Role.ADMIN},
    "get_webhook": {Role.ADMIN},
    "amend_webhook": {Role.ADMIN},
    "delete_webhook": {Role.ADMIN},
    "rotate_webhook_secret": {Role.ADMIN},
    "try_webhook": {Role.ADMIN},
    "list_deliveries": {Role.ADMIN},
    "list_exports": {Role.ADMIN},
    "request_export": {Role.ADMIN},
    "get_export": {Role.ADMIN},
    "get_export_file": {Role.ADMIN},
    "delete_export": {Role.ADMIN},
    "list_carers": EVERYONE,
    "name_carer": STAFF,
    "end_carer": {*STAFF, Role.PATIENT},
    "invite_carer": STAFF,
    "get_access_settings": {*STAFF, Role.AUDITOR},
    "decide_access_settings": {Role.ADMIN},
    "list_clients": {Role.ADMIN},
    "create_client": {Role.ADMIN},
    "get_client": {Role.ADMIN},
    "amend_client": {Role.ADMIN},
    "revoke_client": {Role.ADMIN},
    "export_record": {*STAFF, Role.PATIENT},
    "erase_patient": {Role.ADMIN},
    "list_consents": EVERYONE,
    "give_consent": {*STAFF, Role.PATIENT},
    "withdraw_consent": {*STAFF, Role.PATIENT},
    "get_retention_settings": {*STAFF, Role.AUDITOR},
    "decide_retention_settings": {Role.ADMIN},
}
"""Said a second time, on purpose: a route whose rule changes must change here too."""

ANY_SCOPE = {"revoke_token", "get_me", "list_sign_ins", "revoke_sign_in"}
"""What an integration may whatever it was given."""
SCOPED: dict[str, set[str]] = {
    "shelf:read": {
        "list_measures",
        "list_exercises",
        "get_exercise",
        "list_care",
        "list_protocols",
        "get_protocol",
        "list_red_flags",
        "list_condition_words",
    },
    "records:read": {
        "list_sessions",
        "get_adherence",
        "get_relapse_watch",
        "get_worklist",
        "list_flag_rules",
        "get_flag",
        "list_outreach",
        "get_timeline",
        "list_devices",
        "list_unsynced",
        "list_programs",
        "get_program",
        "get_agenda",
        "check_program",
        "list_checks",
        "list_suggestions",
        "list_revisions",
        "list_reviews",
        "list_teachings",
        "list_patients",
        "get_patient",
        "list_screenings",
        "list_conditions",
        "list_examinations",
        "list_check_ins",
        "list_weeks",
        "list_series",
        "list_rules",
        "get_rule",
        "list_carers",
        "list_consents",
        "list_accesses",
    },
    "records:write": {
        "create_patient",
        "amend_patient",
        "record_screening",
        "record_condition",
        "amend_condition",
        "examine_patient",
        "answer_patients_check_in",
    },
    "sessions:write": {
        "log_session",
        "delete_session",
        "push_items",
        "pause_program",
        "end_pause",
        "resume_program",
        "declare_flare",
        "end_flare",
        "stop_program",
        "record_measurement",
    },
    "reports:read": {
        "list_reports",
        "get_report",
        "get_report_month",
        "get_report_settings",
    },
}
"""And what it may with this scope: these operations, and no other."""

VERSIONS = {
    "decide_access_settings": 1,
    "decide_retention_settings": 1,
    "decide_report_settings": 1,
    "decide_sign_in_rules": 1,
    "amend_patient": 1,
    "amend_condition": 1,
    "revise_program": 4,
    "switch_rule": 1,
    "move_thresholds": 1,
    "amend_protocol": 1,
    "delete_session": 1,
    "snooze_flag": 1,
    "close_flag": 1,
    "amend_webhook": 1,
    "amend_client": 1,
}
"""What If-Match must say of the clinic's records."""
SLUGS = {"get_exercise": "bird-dog", "amend_protocol": "our-back"}


def routes(app: FastAPI) -> list[APIRoute]:
    found: list[APIRoute] = []

    def walk(items: Any) -> None:
        for route in items:
            if isinstance(route, APIRoute):
                if route.include_in_schema:
                    found.append(route)
            else:
                router = getattr(route, "original_router", None)
                walk(router.routes if router else [])

    walk(app.routes)
    return found


def test_every_route_says_who_may(app: FastAPI) -> None:
    assert {route.name: set(who_may(route)) for route in routes(app)} == MAY
    for operations in app.openapi()["paths"].values():
        for operation in operations.values():
            expected = {role.value for role in MAY[operation["operationId"]]} or {"anybody"}
            assert set(operation["x-who-may"]) == expected


def test_without_a_token_nothing_is_asked_of_the_database(app: FastAPI, client: httpx.Client) -> None:
    app.state.database = Database(reading=nowhere, snapshot=nowhere, writing=nowhere)
    for route in routes(app):
        if MAY[route.name]:
            path = re.sub(r"\{\w+\}", str(UUID(int=0)), route.path)
            (method,) = route.methods or {"GET"}
            answer = client.request(method, path, json={}, headers={"If-Match": '"v1"'})
            assert_problem(answer, 401, "not_signed_in")


def test_a_route_for_anybody_shows_nobody_a_record(clinic: Clinic, database: Database) -> None:
    token = clinic.admin["Authorization"].removeprefix("Bearer ")
    said = {"address": "", "request_line": "GET /", "operation": "x", "request_id": "x"}
    visit = Visit(database=database, credential=token, now=NOON, deed=None, **said)
    with pytest.raises(NotAllowed), visit.reading():
        pass


def filled(said: Any, ids: dict[str, Any]) -> Any:
    """A body with the ids in their places."""
    if isinstance(said, dict):
        return {key: filled(value, ids) for key, value in said.items()}
    if isinstance(said, list):
        return [filled(value, ids) for value in said]
    return said.format(**ids) if isinstance(said, str) else said


def test_scopes_share_out_what_an_integration_may(app: FastAPI) -> None:
    assert set(SCOPED) == set(SCOPES)
    for_it = {name for name, roles in MAY.items() if Role.INTEGRATION in roles}
    assert for_it == ANY_SCOPE.union(*SCOPED.values())
    for operations in app.openapi()["paths"].values():
        for operation in operations.values():
            given = sorted(scope for scope, names in SCOPED.items() if operation["operationId"] in names)
            assert operation.get("x-scopes", []) == given


def test_lists_hold_only_the_callers_clinic(client: httpx.Client, clinic: Clinic, stranger: Clinic) -> None:
    patients = client.get("/v1/patients", headers=clinic.therapist).json()["items"]
    assert [patient["id"] for patient in patients] == [str(clinic.patient_id)]
    staff = client.get("/v1/staff", headers=clinic.admin).json()["items"]
    assert str(stranger.ines.account_id) not in [member["id"] for member in staff]


def test_a_patient_never_sees_a_draft(client: httpx.Client, clinic: Clinic) -> None:
    made = client.post(
        f"/v1/patients/{clinic.patient_id}/programs", json={"protocol": "neck-posture-desk"}, headers=clinic.therapist
    )
    program = made.json()["id"]
    assert_problem(client.get(f"/v1/programs/{program}", headers=clinic.patient), 404)
    listed = client.get(f"/v1/patients/{clinic.patient_id}/programs", headers=clinic.patient).json()["items"]
    assert program not in [one["id"] for one in listed]
    assert client.get(f"/v1/programs/{program}", headers=clinic.therapist).status_code == 200
