"""The operator's page: the files that make it, and what the browser is told about them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from chalicelib.domain.errors import Code, Rejected

_DIRECTORY = Path(__file__).parent.parent / "console"
_PAGE = "index.html"
_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}

#: The page's own files and its own API, and nothing else: no inline code, no frame around it, and
#: no text that becomes markup. https://www.w3.org/TR/CSP3/
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


@dataclass(frozen=True, kw_only=True)
class File:
    """One of the page's files."""

    body: str
    media_type: str

    @cached_property
    def etag(self) -> str:
        """The entity tag of these very bytes."""
        return f'"{hashlib.sha256(self.body.encode()).hexdigest()[:32]}"'

    @property
    def headers(self) -> Mapping[str, str]:
        """What goes with it. It is asked for anew each time, so that all files are of one make."""
        return {
            "Content-Type": self.media_type,
            "Cache-Control": "no-cache",
            "Content-Security-Policy": _POLICY,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        }


@cache
def _files() -> Mapping[str, File]:
    return {
        path.name: File(
            body=path.read_text(encoding="utf-8"),
            media_type=_MEDIA_TYPES[path.suffix],
        )
        for path in _DIRECTORY.iterdir()
    }


def page() -> File:
    """The page itself."""
    return _files()[_PAGE]


def part(name: str) -> File:
    """A file that the page asks for, by its name. Raises `Rejected` for any other name."""
    found = None if name == _PAGE else _files().get(name)
    if found is None:
        raise Rejected(Code.NOT_FOUND, "The console has no file of this name.")
    return found
