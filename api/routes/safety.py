"""What must be asked and heard: red-flag questions, conditions, and the safety rules."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.schemas.safety import (
    ConditionWordOut,
    ConditionWordPage,
    DetailOut,
    RedFlagOut,
    RedFlagPage,
    RuleIn,
    RuleOut,
    RulePage,
)
from api.schemas.words import Code
from api.visit import ExpectedVersion, ToReadClinical, ToReadShelf, ToRunClinic, show_version
from models.operations import rule_settings
from models.safety.conditions import VOCABULARY
from models.safety.red_flags import CHIPS, RED_FLAGS

router = APIRouter(prefix="/v1", tags=["safety"])


@router.get("/red-flags", summary="The red-flag questions, and the chips a session may carry")
def list_red_flags(visit: ToReadShelf) -> RedFlagPage:
    with visit.reading():
        return RedFlagPage(
            items=[RedFlagOut.of(flag) for flag in RED_FLAGS.values()],
            other_chips=[chip for chip in CHIPS if chip not in RED_FLAGS],
        )


@router.get("/conditions", summary="The conditions vocabulary, with what only each of them tells")
def list_condition_words(visit: ToReadShelf) -> ConditionWordPage:
    with visit.reading():
        return ConditionWordPage(
            items=[
                ConditionWordOut(
                    code=word.code,
                    name=word.name,
                    details=[
                        DetailOut(name=name, kind=detail.kind, words=list(detail.words))
                        for name, detail in word.details.items()
                    ],
                )
                for word in VOCABULARY.values()
            ]
        )


@router.get("/rules", summary="Every safety rule, with the clinic's severities")
def list_rules(visit: ToReadClinical) -> RulePage:
    with visit.reading() as (tx, caller):
        return RulePage(items=[RuleOut.of(one) for one in rule_settings.rules(tx, caller)])


@router.get("/rules/{rule_id}", summary="One safety rule")
def get_rule(rule_id: Annotated[Code, Path(examples=["R-14"])], visit: ToReadClinical, response: Response) -> RuleOut:
    with visit.reading() as (tx, caller):
        setting = rule_settings.rule_setting(tx, caller, rule_id)
        show_version(response, setting.version)
        return RuleOut.of(setting)


@router.put("/rules/{rule_id}", summary="Switch how grave this clinic takes a rule; some are fixed")
def switch_rule(
    rule_id: Annotated[Code, Path(examples=["R-14"])],
    said: RuleIn,
    version: ExpectedVersion,
    visit: ToRunClinic,
    response: Response,
) -> RuleOut:
    with visit.writing() as (tx, caller):
        setting = rule_settings.switch_rule(tx, caller, rule_id, said.severity, version=version, now=visit.now)
        show_version(response, setting.version)
        return RuleOut.of(setting)
