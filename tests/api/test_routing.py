"""Which function answers, and what it is given."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from senryu.api.asked import Depends
from senryu.api.errors import HANDLERS
from senryu.api.routing import Router, Table

ID = "6f1c7c1e-0f0c-4ad0-9e43-0a4ab3b5d7a1"
asked: list[str] = []


async def who(request: Request) -> str:
    asked.append("who")
    return request.headers.get("user-agent", "")


def where(request: Request) -> str:
    asked.append("where")
    return request.url.path


async def owner(app: str, who: Annotated[str, Depends(who)]) -> str:
    asked.append("owner")
    return f"{who} of {app}"


router = Router()


@router.get("/apps/{app}")
async def info(
    app: str, owner: Annotated[str, Depends(owner)], who: Annotated[str, Depends(who)], where: Annotated[str, Depends(where)]
) -> JSONResponse:
    return JSONResponse([app, owner, who, where])


@router.get("/builds/{id}")
async def build(id: UUID, who: Annotated[str, Depends(who)], size: str = "all") -> JSONResponse:
    return JSONResponse([str(id), size])


@router.get("/search")
async def search(word: str, team: str | None = None) -> JSONResponse:
    return JSONResponse([word, team])


@router.post("/search")
async def keep(request: Request) -> JSONResponse:
    return JSONResponse((await request.body()).decode(), 201)


@router.delete("/{anything}/last")
@router.put("/search/last")
@router.patch("/search/last")
async def last(request: Request) -> JSONResponse:
    return JSONResponse(request.url.path)


async def beside(request: Request) -> JSONResponse:
    return JSONResponse(request.path_params)


def client() -> httpx.AsyncClient:
    app = Starlette(routes=[Table([*router.routes, Route("/{app}.git/refs", beside)])], exception_handlers=HANDLERS)
    asked.clear()
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here", headers={"user-agent": "me"})


async def test_what_a_function_depends_on_is_asked_once_and_in_order() -> None:
    answer = await client().get("/apps/shop%C3%A9")
    assert answer.json() == ["shopé", "me of shopé", "me", "/apps/shopé"]
    assert asked == ["who", "owner", "where"]


async def test_names_of_the_query_may_have_defaults_and_the_last_of_several_counts() -> None:
    assert (await client().get("/search?word=a&word=b&other=1")).json() == ["b", None]
    assert (await client().get("/search?word=&team=x")).json() == ["", "x"]
    assert (await client().get(f"/builds/{ID}?size=small")).json() == [ID, "small"]
    missing = await client().get("/search?team=x")
    assert (missing.status_code, missing.json()["id"]) == (400, "bad_request")


@pytest.mark.parametrize("form", [ID, ID.upper(), ID.replace("-", ""), f"{{{ID}}}", f"urn:uuid:{ID}"])
async def test_ids_are_taken_in_all_their_forms(form: str) -> None:
    assert (await client().get(f"/builds/{form}")).json() == [ID, "all"]


@pytest.mark.parametrize("form", ["1", ID[:-1], ID.replace("-", "", 1), f"urn:{ID}", f"%20{ID}", "%D9%A1" + ID[1:], ID.replace("-", "_")])
async def test_what_is_no_id_is_refused_after_the_caller_was_asked(form: str) -> None:
    answer = await client().get(f"/builds/{form}")
    assert (answer.status_code, answer.json()["id"], asked) == (400, "bad_request", ["who"])


async def test_methods_a_path_does_not_have_are_405_and_head_is_one_of_them() -> None:
    for method, path, allowed in (("HEAD", "/search", "GET"), ("PATCH", "/search", "GET"), ("GET", "/search/last", "PATCH")):
        answer = await client().request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert (await client().post("/search", content=b"x")).json() == "x"
    assert (await client().put("/search/last")).json() == "/search/last"


async def test_paths_whose_first_part_may_be_anything_are_found_beside_those_it_is_written_in() -> None:
    assert (await client().delete("/search/last")).json() == "/search/last"
    assert (await client().delete("/nothing/last")).json() == "/nothing/last"
    assert (await client().get("/apps.git/refs")).json() == {"app": "apps"}
    for path in ("/", "/nothing", "/apps", "/apps/a/b", "//search"):
        assert (await client().get(path)).json()["id"] == "not_found"


async def test_a_last_slash_too_much_leads_to_the_path_without_it() -> None:
    answer = await client().get("/apps/shop/?x=1")
    assert (answer.status_code, answer.headers["location"]) == (307, "http://here/apps/shop?x=1")


def test_a_parameter_that_no_request_has_is_told_when_the_file_is_loaded() -> None:
    async def strange(count: int) -> JSONResponse:
        return JSONResponse(count)

    with pytest.raises(TypeError, match="strange takes `count`"):
        Router().get("/strange")(strange)
