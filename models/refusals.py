"""What we say no to. A refusal is an answer, not an accident."""

from datetime import datetime
from typing import Any, ClassVar


class Refusal(Exception):  # noqa: N818  (a refusal is an answer, not an error)
    """Base of everything the house refuses; the doors decide how to say it."""

    code: ClassVar[str]

    def __init__(self, message: str, *, field: str | None = None, **more: Any) -> None:
        super().__init__(message)
        self.field = field
        """JSON pointer to the input that was refused."""
        self.more = more
        """Further members of the answer."""


class NotSignedIn(Refusal):
    """No credential, or one that is unknown, expired or revoked."""

    code = "not_signed_in"


class InvalidGrant(Refusal):
    """A login, code or refresh token that does not fit; never says which part."""

    code = "invalid_grant"


class InvalidClient(Refusal):
    """Another system that did not prove who it is; never says what did not fit."""

    code = "invalid_client"


class InvalidScope(Refusal):
    """Scopes that do not exist, or that the client was not given."""

    code = "invalid_scope"


class OtpRequired(Refusal):
    """The password fitted; the code of the second factor is missing."""

    code = "otp_required"


class SecondFactorRequired(Refusal):
    """The clinic wants a second factor of everyone, and the caller has to enrol one first."""

    code = "second_factor_required"


class SecondFactorOn(Refusal):
    """The account has a second factor already."""

    code = "second_factor_on"


class NoSecondFactor(Refusal):
    """The account has no second factor, or has not begun to enrol one."""

    code = "no_second_factor"


class NoSecretKey(Refusal):
    """The installation has no key to keep second factors under, or not the one it kept this one under."""

    code = "no_secret_key"


class NoPassword(Refusal):
    """The account has no password to prove itself with."""

    code = "no_password"


class LastAdmin(Refusal):
    """Nobody could administer the clinic any more."""

    code = "last_admin"


class Busy(Refusal):
    """Too many wait for the same; try again in a moment."""

    code = "busy"


class WhichClinic(Refusal):
    """The e-mail and password fit accounts in several clinics."""

    code = "which_clinic"


class TooManyAttempts(Refusal):
    """Failed attempts are spent for a while."""

    code = "too_many_attempts"

    def __init__(self, message: str, *, until: datetime) -> None:
        super().__init__(message)
        self.until = until


class NotAllowed(Refusal):
    """The caller's role may not do this to anyone's record."""

    code = "not_allowed"


class Unknown(Refusal):
    """No such thing, or not in the caller's sight: the answer is the same."""

    code = "unknown"


class Invalid(Refusal):
    """An input that only the house can find wrong."""

    code = "invalid"


class EmailTaken(Refusal):
    """The address already has an account in this clinic."""

    code = "email_taken"


class WrongStatus(Refusal):
    """The deed does not fit where the program is in its life."""

    code = "wrong_status"


class NotAsked(Refusal):
    """A question that is not asked yet, or whose answer is settled."""

    code = "not_asked"


class FlagNotOpen(Refusal):
    """The flag is only promised: nobody needs to act yet."""

    code = "flag_not_open"


class FlagClosed(Refusal):
    """The flag is closed; `closed_at`, `closed_by` and `closed_because` say when, by whom and why."""

    code = "flag_closed"


class NotByHand(Refusal):
    """Flags of this kind cannot be put off or closed like that."""

    code = "not_by_hand"


class SafetyBlocked(Refusal):
    """The safety check found what blocks; `findings` say what, and which of it a typed reason can override."""

    code = "safety_blocked"


class NotAcknowledged(Refusal):
    """The safety check warns, and nobody acknowledged it; `findings` say of what."""

    code = "not_acknowledged"


class NoFlarePlan(Refusal):
    """The therapist has authorised no plan for flare days."""

    code = "no_flare_plan"


class NameTaken(Refusal):
    """A protocol of this name is there already."""

    code = "name_taken"


class TooManyWebhooks(Refusal):
    """The clinic has as many webhooks as it may."""

    code = "too_many_webhooks"


class TooManyClients(Refusal):
    """The clinic has as many clients as it may."""

    code = "too_many_clients"


class TooManyExports(Refusal):
    """The clinic has as many exports as it may."""

    code = "too_many_exports"


class VersionMismatch(Refusal):
    """Someone else changed it first."""

    code = "version_mismatch"


class KeyReused(Refusal):
    """The idempotency key was used for a different request."""

    code = "idempotency_key_reused"


class SessionRefused(Refusal):
    """A session that cannot be logged; its subclasses say why. The body is kept."""

    code = "session_refused"


class FutureDated(SessionRefused):
    """Performed more than an hour from now."""

    code = "future_dated"


class BeforeProgram(SessionRefused):
    """Performed before the program began."""

    code = "before_program"


class AfterProgram(SessionRefused):
    """Performed after the program ended."""

    code = "after_program"


class ProgramNotActive(SessionRefused):
    """The program is still a draft."""

    code = "program_not_active"


class WrongDate(SessionRefused):
    """The local date is not the date of the instant in the time zone, give or take a day."""

    code = "wrong_local_date"


class UnknownLine(SessionRefused):
    """An entry names a line the program never had."""

    code = "unknown_line"


class TooLate(SessionRefused):
    """The session can no longer be changed by the patient."""

    code = "too_late"


class OtherProgram(SessionRefused):
    """A session cannot move to another program."""

    code = "other_program"


class NotStorable(SessionRefused):
    """The database cannot hold it."""

    code = "not_storable"


class Conflict(SessionRefused):
    """What is held has other content than the version that was to be changed."""

    code = "conflict"


class UnknownProgram(SessionRefused, Unknown):
    """A session for a program that is not in the caller's sight."""

    code = "unknown"


class UnknownSession(SessionRefused, Unknown):
    """A deletion of a session that has not come, or is not in the caller's sight."""

    code = "unknown"


class TooManyItems(Refusal):
    """More items in one push than are taken; half as many may go."""

    code = "too_large"


class ResyncRequired(Refusal):
    """A cursor that cannot be gone on from; pull from the beginning."""

    code = "resync_required"
