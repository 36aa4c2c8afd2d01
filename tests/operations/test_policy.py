"""What the policy's tables must say of each other."""

import pytest

from models.operations.policy import MAY, SCOPES, Deed, scopes_for
from models.tables import Role


@pytest.mark.parametrize("deed", Deed)
def test_an_integration_may_what_some_scope_opens_and_nothing_else(deed: Deed) -> None:
    """A deed that is for integrations but in no scope would wait for the first careless one."""
    with_every_scope = deed is Deed.USE_OWN_SIGN_IN
    assert (Role.INTEGRATION in MAY[deed]) == (bool(scopes_for(deed)) or with_every_scope)


def test_every_scope_opens_something() -> None:
    assert all(SCOPES.values())
