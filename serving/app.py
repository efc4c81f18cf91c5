"""The application: routes, errors in OpenAI's form, and a schema that tells what is really answered."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException

from serving.docs_page import docs_page
from serving.errors import RequestError, error_body
from serving.gate import Gate
from serving.routes import chat, completions, models, operations, simple
from serving.service import Service

TITLE = "gpt2-alpaca-pipeline"
DESCRIPTION = (
    "Asks one published revision. The routes under /v1 are OpenAI's; /generate and /predict take an instruction. "
    "An end token in a text has no effect. A prompt that is too long is cut at its start: see the answer's warnings."
)
logger = logging.getLogger(__name__)


def create_app(service: Service) -> FastAPI:
    """Returns the application over a service."""
    app = FastAPI(title=TITLE, description=DESCRIPTION, version="1", docs_url=None, redoc_url=None)
    app.state.service = service
    for module in (models, simple, chat, completions, operations):
        app.include_router(module.router)
    app.add_api_route("/docs", _docs, include_in_schema=False, response_class=HTMLResponse)
    app.add_middleware(Gate, service=service)
    app.add_exception_handler(RequestError, _request_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _failure)
    app.openapi = lambda: _schema(app)  # type: ignore[method-assign]
    return app


def _docs(request: Request) -> HTMLResponse:
    return HTMLResponse(docs_page(request.app.openapi()))


def _schema(app: FastAPI) -> dict[str, Any]:
    """Returns the schema without 422, which FastAPI puts there and this server answers as OpenAI does, with 400."""
    if app.openapi_schema is None:
        schema = FastAPI.openapi(app)
        for path in schema["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
        schemas = schema["components"]["schemas"]
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        scheme = {"type": "http", "scheme": "bearer"}
        schema["components"]["securitySchemes"] = {"ApiKey": scheme}
        app.openapi_schema = schema
    return app.openapi_schema


def _request_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestError)
    return JSONResponse(error.body(), error.status, headers=dict(error.headers()))


def _invalid(_request: Request, error: Exception) -> JSONResponse:
    """Tells the first thing that is wrong; what the client sent is not repeated."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    param = ".".join(str(part) for part in first["loc"] if part != "body") or None
    return JSONResponse(error_body(400, f"{param or 'The body'}: {first['msg']}", param=param), 400)


def _http_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse(error_body(error.status_code, str(error.detail)), error.status_code, headers=error.headers)


def _failure(_request: Request, error: Exception) -> JSONResponse:
    logger.error("A route failed", exc_info=error)
    return JSONResponse(error_body(500, "Sorry, the server failed. Please ask again."), 500)
