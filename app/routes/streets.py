"""The streets of the live map, from the installation's own file: `/map/style.json` and its tiles."""

import gzip
import re
from typing import Annotated, Any, Final

from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery, PathParameter

from app.streets.features import LAST_ZOOM
from app.streets.style import Theme, style
from app.streets.tile_file import TileFile
from app.web.static import takes_gzip

TILE: Final = "application/vnd.mapbox-vector-tile"
KEPT: Final = "public, max-age=604800, immutable"
"""The style names the tiles with the version of their file."""
E7: Final = 1e7


@get("/map/style.json", opt={"public": True}, tags=["map"], sync_to_thread=False)
def get_style(state: State, theme: FromQuery[Theme] = "light") -> Response[dict[str, Any]]:
    """How MapLibre draws the installation's own streets; 404 where it has none."""
    tiles: TileFile = state.streets
    version, header = tiles.version, tiles.header()
    if version is None or not header:
        raise NotFoundException(detail="This installation has no streets of its own: see POSTRIDER_MAP_TILES.")
    bounds = tuple(header[f"{edge}_e7"] / E7 for edge in ("min_lon", "min_lat", "max_lon", "max_lat"))
    west, south, east, north = bounds
    url = f"/map/{{z}}/{{x}}/{{y}}.mvt?v={version}"
    return Response(
        style(theme, url, (west, south, east, north), tiles.attribution), headers={"Cache-Control": "no-cache"}
    )


@get("/map/{zoom:int}/{column:int}/{name:str}", opt={"public": True}, tags=["map"], sync_to_thread=False)
def get_tile(
    request: Request[Any, Any, Any],
    state: State,
    zoom: FromPath[int],
    column: FromPath[int],
    name: Annotated[str, PathParameter(description="The row, and `.mvt`.", pattern=r"^\d{1,8}\.mvt$")],
) -> Response[bytes]:
    """A vector tile in the Protomaps schema; 204 where nothing is."""
    tiles: TileFile = state.streets
    if tiles.version is None:
        raise NotFoundException(detail="This installation has no streets of its own: see POSTRIDER_MAP_TILES.")
    row = re.fullmatch(r"(\d{1,8})\.mvt", name, re.ASCII)
    if row is None or not 0 <= zoom <= LAST_ZOOM:
        raise NotFoundException(detail="There is no such tile.")
    headers = {"Cache-Control": KEPT, "Vary": "Accept-Encoding"}
    found = tiles.tile(zoom, column, int(row[1]))
    if found is None:
        return Response(b"", status_code=204, headers=headers)
    if takes_gzip(request.headers.get("accept-encoding", "")):
        return Response(found, media_type=TILE, headers={**headers, "Content-Encoding": "gzip"})
    return Response(gzip.decompress(found), media_type=TILE, headers=headers)


route_handlers: list[Any] = [get_style, get_tile]
