"""What to enter in the phone apps that are taken as they are (tracking/README.md), and as QR codes."""

import base64
import json
from dataclasses import dataclass
from urllib.parse import urlencode

import segno

OSMAND_FIELDS = "lat={0}&lon={1}&timestamp={2}&accuracy={3}&altitude={4}&speed={5}&bearing={6}&speed_unit=mps"
GPSLOGGER_FIELDS = "lat=%LAT&lon=%LON&timestamp=%TIMESTAMP&acc=%ACC&spd=%SPD&dir=%DIR&alt=%ALT&batt=%BATT"
EVERY_S = 10
"""A courier seen every five minutes, which is Traccar Client's own, is neither dispatched well nor told to arrive."""


@dataclass(frozen=True, slots=True)
class PhoneApp:
    """One app: what is entered where, and what its camera (or the phone's) reads."""

    name: str
    how: str
    """The key of the words that say what to do with it."""
    settings: tuple[tuple[str, str], ...]
    qr: str
    """An SVG element."""


def phone_apps(address: str, token: str) -> tuple[PhoneApp, ...]:
    """The settings for a device token; `address`: `https://host`."""
    osmand = f"{address}/ingest/osmand/{token}"
    owntracks = f"{address}/ingest/owntracks"
    osmand_url, gpslogger_url = f"{osmand}?{OSMAND_FIELDS}", f"{address}/ingest/gpslogger/{token}?{GPSLOGGER_FIELDS}"
    configuration = {
        "_type": "configuration",
        "mode": 3,  # HTTP
        "url": owntracks,
        "auth": True,
        "username": "courier",
        "password": token,
        "locatorInterval": EVERY_S,
    }
    inline = base64.b64encode(json.dumps(configuration).encode()).decode()
    return (
        PhoneApp(
            "Traccar Client",
            "app_reads",
            (("Server URL", osmand), ("Distance", "0"), ("Interval", str(EVERY_S))),
            qr_code(f"{osmand}?{urlencode({'distance': 0, 'interval': EVERY_S})}"),
        ),
        PhoneApp(
            "OwnTracks",
            "camera_reads",
            (("Mode", "HTTP"), ("URL", owntracks), ("Username", "courier"), ("Password", token)),
            qr_code(f"owntracks:///config?{urlencode({'inline': inline})}"),
        ),
        PhoneApp("OsmAnd", "copy_text", (("Online tracking, web address", osmand_url),), qr_code(osmand_url)),
        PhoneApp("GPSLogger", "copy_text", (("Custom URL", gpslogger_url),), qr_code(gpslogger_url)),
    )


def qr_code(text: str) -> str:
    """A QR code as an SVG element, dark on light in every theme: cameras want it so."""
    code: str = segno.make(text, error="m", micro=False).svg_inline(
        scale=4, border=4, light="#fff", omitsize=True, svgclass="qr", lineclass=None
    )
    return code
