"""How the outside is told: signed, addressed and retried. Pure: no network, no rows, no clock."""
