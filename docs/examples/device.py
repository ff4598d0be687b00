"""A device's bootstrap client, in Python with the standard library alone.

It asks for the configuration, keeps the last good one in a file, and tells whoever runs it when to
ask again. Copy it and change what is done with the configuration.

    python3 device.py https://bootstrap.example.com press-7 --key-file /etc/device.key --ca ca.pem
"""

from __future__ import annotations

import argparse
import contextlib
import email.utils
import http.client
import json
import os
import random
import ssl
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

LARGEST_ANSWER = 4 * 1024 * 1024
TIMEOUT = 30.0
DAY = 24 * 3600.0
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 900.0
UNKNOWN_PAUSE = 300.0


class Refused(Exception):
    """The service refused; ask again after ``pause`` seconds."""

    def __init__(self, status: int, message: str, pause: float) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.pause = pause


def ask(
    url: str, external_id: str, key: str, etag: str = "", context: ssl.SSLContext | None = None
) -> tuple[dict | None, str]:
    """Return the configuration and its ETag; None where the device has it already.

    Raises ``Refused``, and ``OSError`` where the service cannot be reached.
    """
    # The whole ID is one segment of the path: a slash in it goes out as %2F.
    path = f"/clients/bootstrap/{urllib.parse.quote(external_id, safe='')}"
    request = urllib.request.Request(url.rstrip("/") + path)
    # http.client writes headers as Latin-1; this sends the key's bytes in UTF-8.
    request.add_header("Authorization", "Client " + key.encode().decode("latin-1"))
    if etag:
        request.add_header("If-None-Match", etag)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT, context=context) as answer:
            body = answer.read(LARGEST_ANSWER + 1)
            if len(body) > LARGEST_ANSWER:
                raise Refused(answer.status, "the answer is too large", LONGEST_PAUSE)
            return json.loads(body), answer.headers.get("ETag", "")
    except urllib.error.HTTPError as error:
        # A refusal holds its connection until it is closed.
        with error:
            if error.code == http.client.NOT_MODIFIED:
                return None, etag
            raise Refused(error.code, reason_of(error), pause_of(error)) from None
    except (ValueError, http.client.HTTPException) as error:
        raise OSError(f"the answer is none of the service's: {error}") from error


def reason_of(error: urllib.error.HTTPError) -> str:
    """Return what the service says for people."""
    with contextlib.suppress(ValueError, OSError, AttributeError):
        return str(json.loads(error.read(64 * 1024)).get("message", error.reason))
    return str(error.reason)


def pause_of(error: urllib.error.HTTPError) -> float:
    """Return the seconds to wait: as told, else by what the status means."""
    told = error.headers.get("Retry-After", "")
    if told.isdigit():
        return min(float(told), LONGEST_PAUSE)
    with contextlib.suppress(TypeError, ValueError):
        at = email.utils.parsedate_to_datetime(told).timestamp()
        return min(max(at - time.time(), 0.0), LONGEST_PAUSE)
    # 403: not onboarded yet, disabled, or the wrong key. It changes when people do something.
    return UNKNOWN_PAUSE if error.code == http.client.FORBIDDEN else 0.0


def load(file: Path) -> dict:
    """Return what was kept; empty where nothing usable is there."""
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def keep(file: Path, kept: dict) -> None:
    """Write a file that only its owner reads; after a power cut it is the old or the new one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=file.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(kept, stream)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def merged(kept: dict, fresh: dict) -> dict:
    """Return the fresh configuration with the private key that is held here, if it has none.

    With ``keep_private_keys = "until_fetched"`` the service gives the key once.
    """
    if not fresh.get("client_key") and fresh.get("client_cert") == kept.get("client_cert"):
        return {**fresh, "client_key": kept.get("client_key", "")}
    return fresh


def refresh(
    file: Path, url: str, external_id: str, key: str, context: ssl.SSLContext | None = None
) -> tuple[dict, bool]:
    """Return the configuration in force and whether it is new. Raises as ``ask``."""
    kept = load(file)
    before = kept.get("configuration", {})
    fresh, etag = ask(url, external_id, key, kept.get("etag", "") if before else "", context)
    if fresh is None:
        return before, False
    whole = merged(before, fresh)
    # It is kept before it is used: the service may give the private key only once.
    keep(file, {"etag": etag, "configuration": whole})
    return whole, whole != before


def run(file: Path, url: str, external_id: str, key: str, context: ssl.SSLContext | None) -> None:
    """Ask now, and then once a day; use what is kept while the service does not answer."""
    pause = FIRST_PAUSE
    while True:
        try:
            configuration, is_new = refresh(file, url, external_id, key, context)
        except Refused as error:
            print(f"refused: {error}", file=sys.stderr)
            wait = max(error.pause, pause)
        except OSError as error:
            print(f"not reached: {error}", file=sys.stderr)
            wait = pause
        else:
            if is_new:
                use(configuration)
            pause, wait = FIRST_PAUSE, DAY
        if wait < DAY:
            pause = min(2 * pause, LONGEST_PAUSE)
        # A fleet that starts at once does not ask at once.
        time.sleep(wait * random.uniform(1.0, 1.25))


def use(configuration: dict) -> None:
    """Do with a new configuration what the device is for."""
    print(configuration["content"])


def main() -> None:
    """Read the arguments and run, or ask once."""
    parser = argparse.ArgumentParser(description="Fetch a device's configuration.")
    parser.add_argument("url")
    parser.add_argument("external_id")
    parser.add_argument("--key-file", type=Path, required=True, help="file of the external key")
    parser.add_argument("--state", type=Path, default=Path("device-state.json"))
    parser.add_argument("--ca", help="PEM file of the authority of the service's own certificate")
    parser.add_argument("--once", action="store_true", help="ask once, print and end")
    given = parser.parse_args()
    # The configuration is UTF-8, whatever the terminal has.
    sys.stdout.reconfigure(encoding="utf-8")
    key = given.key_file.read_text(encoding="utf-8").strip()
    context = ssl.create_default_context(cafile=given.ca)
    if not given.once:
        run(given.state, given.url, given.external_id, key, context)
    try:
        configuration, _ = refresh(given.state, given.url, given.external_id, key, context)
    except (Refused, OSError) as error:
        sys.exit(f"no configuration: {error}")
    use(configuration)


if __name__ == "__main__":
    main()
