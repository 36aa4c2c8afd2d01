"""What the environment says, read once."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Everything that may differ from one installation to another."""

    database_url: str = "sqlite:///followthrough.db"
    host: str = "127.0.0.1"
    port: int = 8000
    log_level: str = "info"
    body_limit: int = 1024 * 1024
    """Bytes; larger requests are refused with 413."""

    @classmethod
    def from_environment(cls) -> "Settings":
        """`DATABASE_URL`, and `FOLLOWTHROUGH_` before the other names."""

        def said(name: str, default: str) -> str:
            return os.environ.get(f"FOLLOWTHROUGH_{name}") or default

        return cls(
            database_url=os.environ.get("DATABASE_URL") or cls.database_url,
            host=said("HOST", cls.host),
            port=int(said("PORT", str(cls.port))),
            log_level=said("LOG_LEVEL", cls.log_level),
            body_limit=int(said("BODY_LIMIT", str(cls.body_limit))),
        )
