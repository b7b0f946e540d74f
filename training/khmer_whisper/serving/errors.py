"""Answers to requests that cannot be served, in OpenAI's form."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse

MAX_RETRY_SECONDS = 60  # OpenAI's client keeps to no longer time


class RequestError(Exception):
    """A request that is answered with an error: a line for its sender.

    parameter: the field of the form that is wrong; code: OpenAI's word for the error
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        parameter: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.parameter = parameter
        self.code = code
        self.headers = dict(headers or {})

    def response(self) -> JSONResponse:
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        error = {
            "message": str(self),
            "type": kind,
            "param": self.parameter,
            "code": self.code,
        }
        return JSONResponse({"error": error}, self.status, self.headers)


def too_large(megabytes: int) -> RequestError:
    return RequestError(
        413, f"the upload is larger than {megabytes} MB, the limit of this server", parameter="file"
    )


def idle(seconds: float) -> RequestError:
    return RequestError(408, f"nothing more of the upload has come for {seconds:.0f} s")


def busy(seconds: float) -> RequestError:
    """seconds: after which there may be a place."""
    retry = min(max(1, round(seconds)), MAX_RETRY_SECONDS)
    return RequestError(
        503,
        "as many requests as this server takes are waiting; try again later",
        code="server_busy",
        headers={"Retry-After": str(retry)},
    )
