"""create_app(): the HTTP door, assembled in one place."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import version

import anyio.to_thread
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline
from starlette.middleware.cors import CORSMiddleware

from api import problems
from api.hashing import Hashing
from api.headers import SafeHeaders
from api.limits import Door
from api.logs import RequestLog
from api.problems import Accidents
from api.routes import (
    access,
    accounts,
    adherence,
    audit,
    clients,
    desk,
    devices,
    exercises,
    exports,
    health,
    identity,
    measures,
    patients,
    programs,
    reports,
    rights,
    safety,
    sessions,
    webhooks,
)
from api.settings import Settings
from api.sweeping import Sweeper, carrier
from api.visit import scopes_of, who_may
from models.database import POOL_SIZE, Database
from models.operations.sealing import Seal

DESCRIPTION = """
Home exercise in physical therapy: prescribe a program, log it from a phone, and see early, with reasons, who is
stopping. Errors are problem documents (RFC 9457). Lists are paged with `limit` and `cursor`. POSTs that create
take an `Idempotency-Key`; records with an `ETag` are replaced with `If-Match`.

Clinical content is decision support and has not been signed off by a clinician.
"""

_READ_BY_PAGES = ("Content-Disposition", "Content-Range", "ETag", "Link", "Location", "Retry-After", "X-Request-Id")
"""The headers of ours that a page of another origin may read."""


def create_app(settings: Settings, database: Database) -> FastAPI:
    """The whole HTTP application on one database."""
    app = FastAPIOffline(
        docs_url="/docs",
        redoc_url=None,
        title="Followthrough",
        description=DESCRIPTION,
        version=version("followthrough"),
        lifespan=_lifespan(settings, database),
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        responses={422: {"model": problems.Problem, "description": "Invalid input"}},
    )
    app.state.database = database
    app.state.clock = lambda: datetime.now(UTC)
    app.state.allowed = settings.allowed
    app.state.exports = settings.exports
    app.state.token_endpoint = f"{settings.base_url}/v1/auth/token" if settings.base_url else None
    app.state.seal = Seal(settings.secret_keys)
    app.state.hashing = Hashing()
    problems.install(app)
    # The log comes first: routes are tried in order, and it is asked most.
    routers = (
        sessions.kept,
        sessions.router,
        adherence.router,
        desk.router,
        devices.router,
        programs.router,
        reports.router,
        patients.router,
        measures.heard,
        measures.router,
        exercises.router,
        safety.router,
        webhooks.router,
        exports.router,
        access.router,
        audit.router,
        clients.router,
        rights.router,
        identity.router,
        accounts.router,
        health.router,
    )
    for router in routers:
        app.include_router(router)
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    problems.describe(
        app,
        who_may={route.name: sorted(who_may(route)) for route in routes},
        scopes={route.name: scopes_of(route) for route in routes},
    )
    # The last added is the first to see a request, so that refusals too are logged and carry every header.
    app.add_middleware(
        Door,
        body_limit=settings.body_limit,
        seconds=settings.request_seconds,
        places=settings.requests_at_once,
        turns=POOL_SIZE,  # about as many as there are threads
    )
    app.add_middleware(Accidents)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST", "PUT", "DELETE"),
            allow_headers=("Authorization", "Content-Type", "Idempotency-Key", "If-Match", "Range", "X-Request-Id"),
            # Tokens are sent by the page's own script; there are no cookies to send along.
            allow_credentials=False,
            expose_headers=_READ_BY_PAGES,
        )
    app.add_middleware(SafeHeaders, https_only=settings.production)
    app.add_middleware(RequestLog)
    return app


def _lifespan(settings: Settings, database: Database) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def alive(_app: FastAPI) -> AsyncIterator[None]:
        sweeper = Sweeper(settings, database, carrier(settings)) if settings.sweep_seconds else None
        # As many threads as connections, so that no thread ever waits for one; the sweep has one of them.
        anyio.to_thread.current_default_thread_limiter().total_tokens = POOL_SIZE - (sweeper is not None)
        if sweeper is not None:
            sweeper.start()
        try:
            yield
        finally:
            if sweeper is not None:
                await anyio.to_thread.run_sync(sweeper.stop)

    return alive
