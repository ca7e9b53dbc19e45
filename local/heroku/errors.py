"""How Heroku says no: `{"id", "message", "url"?}` under one of a few statuses.

Source: https://devcenter.heroku.com/articles/platform-api-reference#errors
"""

#: The error ids of each status; the first is the usual one.
#: The documentation names no id for 500 and 503; theirs are ours.
ERROR_IDS: dict[int, tuple[str, ...]] = {
    400: ("bad_request",),
    401: ("unauthorized",),
    402: ("delinquent",),
    403: ("forbidden", "suspended", "two_factor"),
    404: ("not_found",),
    406: ("not_acceptable",),
    409: ("conflict",),
    410: ("gone",),
    416: ("requested_range_not_satisfiable",),
    422: ("invalid_params", "verification_needed"),
    429: ("rate_limit",),
    500: ("internal_server_error",),
    503: ("service_unavailable",),
}

_MESSAGES: dict[str, str] = {
    "bad_request": "The request was invalid.",
    "unauthorized": "Invalid credentials provided.",
    "delinquent": "This account has an unpaid balance.",
    "forbidden": "You do not have access to this resource.",
    "suspended": "This account or app is suspended.",
    "two_factor": "A second factor is required for this request.",
    "not_found": "Couldn't find that resource.",
    "not_acceptable": "Ask for version 3: Accept: application/vnd.heroku+json; version=3",
    "conflict": "Another request is changing this resource.",
    "gone": "This resource no longer exists.",
    "requested_range_not_satisfiable": "The Range header could not be satisfied.",
    "invalid_params": "The parameters of this request are invalid.",
    "verification_needed": "Please verify this account first.",
    "rate_limit": "Your account reached the API rate limit.",
    "internal_server_error": "An error occurred on our side.",
    "service_unavailable": "The API is temporarily unavailable.",
}

_RATE_LIMIT_URL = "https://devcenter.heroku.com/articles/platform-api-reference#rate-limits"


class ApiError(Exception):
    """A refusal that travels as a JSON error body. Messages never hold a config value."""

    def __init__(self, status: int, message: str | None = None, *, error_id: str = "") -> None:
        self.status = status
        self.error_id = error_id or ERROR_IDS[status][0]
        self.message = message or _MESSAGES[self.error_id]
        super().__init__(self.message)

    def body(self) -> dict[str, str]:
        """Write it as Heroku does."""
        body = {"id": self.error_id, "message": self.message}
        if self.error_id == "rate_limit":
            body["url"] = _RATE_LIMIT_URL
        return body


def app_not_found() -> ApiError:
    """404: no app of that name or uuid."""
    return ApiError(404, "Couldn't find that app.")


def release_not_found() -> ApiError:
    """404: no release of that version or uuid."""
    return ApiError(404, "Couldn't find that release.")


def invalid(message: str) -> ApiError:
    """422: understood, and wrong."""
    return ApiError(422, message)
