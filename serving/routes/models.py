"""OpenAI's list of models: the one that is served."""

from __future__ import annotations

from fastapi import APIRouter, Request

from serving.openai_shapes import ModelCard, ModelList
from serving.routes.context import ERRORS, deployment_for, service_of
from serving.service import Deployment

router = APIRouter(responses=ERRORS)


@router.get("/v1/models", tags=["OpenAI"])
async def models(request: Request) -> ModelList:
    """Lists the model that answers."""
    return ModelList(data=[_card(service_of(request).deployment)])


@router.get("/v1/models/{name:path}", tags=["OpenAI"])
async def model(request: Request, name: str) -> ModelCard:
    """Describes the model that answers."""
    return _card(deployment_for(service_of(request), name))


def _card(deployment: Deployment) -> ModelCard:
    revision = deployment.revision
    return ModelCard(
        id=revision.name,
        created=int(deployment.model.files.prompt.stat().st_mtime),
        owned_by=revision.name.partition("/")[0],
        revision=revision.fingerprint,
    )
