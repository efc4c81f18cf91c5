"""Routes for probes, for Prometheus, and for people who run the server."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel

from serving.errors import RequestError
from serving.openai_shapes import ErrorAnswer
from serving.routes.context import service_of

router = APIRouter(tags=["Operations"])


class Health(BaseModel):
    """The process lives."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """The model answers."""

    status: Literal["ready"] = "ready"
    model: str
    revision: str


@router.get("/health")
async def health() -> Health:
    """Tells that the process lives."""
    return Health()


@router.get("/ready", responses={503: {"model": ErrorAnswer, "description": "The model does not answer now."}})
async def ready(request: Request) -> Ready:
    """Tells that the model answers; 503 while it is loaded, and once the server is ending."""
    service = service_of(request)
    if not service.is_ready:
        raise RequestError(503, "The model does not answer now.", retry_after_seconds=5)
    revision = service.deployment.revision
    return Ready(model=revision.name, revision=revision.fingerprint)


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> PlainTextResponse:
    """Tells all figures, in Prometheus' text format."""
    return PlainTextResponse(service_of(request).metrics.text(), media_type=CONTENT_TYPE_LATEST)
