"""Colours for code that a page holds already: the changes in its cards."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from ninja import Field, Router
from typing_extensions import TypedDict

from sessions.core.clean import clean_text
from sessions.text.rendering import Rendering
from sessions.web import reads
from sessions.web.answers import JsonAnswer, reading
from sessions.web.authorised import Authorised
from sessions.web.validation import Body
from sessions.web.workspace.changes_api import MAX_PATH
from sessions.web.workspace.rooms import file_threads
from sessions.web.workspace.shown import code_html, ending_of

router = Router(tags=["files"])

# A text before and one after a change; both fit into a small body.
MAX_TEXTS: Final = 2
MAX_CHARS: Final = 20_000

Code = Annotated[str, Field(max_length=MAX_CHARS)]


class Texts(Body):
    """Texts of a file, whose name tells the language."""

    path: Annotated[str, Field(min_length=1, max_length=MAX_PATH)]
    texts: Annotated[list[Code], Field(min_length=1, max_length=MAX_TEXTS)]


class Coloured(TypedDict):
    """The texts as sanitised <pre> elements, "" where a text stays plain."""

    ok: Literal[True]
    html: list[str]


@router.post("/colours", response=reading(Coloured), summary="Colour code")
async def colour(request: Authorised, body: Texts) -> JsonAnswer[Coloured]:
    """Return texts with colours. The texts of the answer are those of the request."""
    await reads.hold_place(request.auth)
    return JsonAnswer(
        {"ok": True, "html": await file_threads.run(_coloured, body, request.auth.pk)}
    )


def _coloured(body: Texts, user: Any) -> list[str]:
    rendering = Rendering(session=("files", user))
    language = ending_of(body.path)
    return [code_html(clean_text(text), language, rendering=rendering) for text in body.texts]
