"""A mosquitto of the test's own, and a client that speaks as much of MQTT 5 as is asked of it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

import pytest
from attrs import define, field, frozen

NOT_AUTHORIZED = 0x87
NO_SUBSCRIBERS = 0x10
GRANTED = 0x01
CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 0x10, 0x20, 0x30, 0x40, 0x82, 0x90
AT_LEAST_ONCE = 0x02
PATIENCE = 20.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@frozen
class Mosquitto:
    """A broker that runs with the files in ``directory``."""

    process: subprocess.Popen[str]
    directory: Path
    port: int

    def reload(self) -> None:
        """Have it read its files again, and wait until it has."""
        before = self._log().count("Reloading config")
        self.process.send_signal(signal.SIGHUP)
        _wait(lambda: self._log().count("Reloading config") > before, self)

    def logs(self, text: str) -> None:
        """Wait until its log tells ``text``: it may answer a device before it writes."""
        _wait(lambda: text in self._log(), self)

    def _log(self) -> str:
        return (self.directory / "log").read_text()


@contextlib.contextmanager
def mosquitto(directory: Path, port: int) -> Iterator[Mosquitto]:
    """Run mosquitto with the ``mosquitto.conf`` of ``directory`` until the context ends."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        pytest.fail(
            "this test starts the broker mosquitto, and there is none: install Debian's package "
            "mosquitto (apt-get install mosquitto)"
        )
    own = "user root\n" if _is_root() else ""
    log = f"{own}log_dest file {directory / 'log'}\nlog_type all\n"
    (directory / "test.conf").write_text(log + (directory / "mosquitto.conf").read_text())
    (directory / "log").touch()
    process = subprocess.Popen(
        [program, "-c", directory / "test.conf"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    running = Mosquitto(process, directory, port)
    try:
        _wait(lambda: _listens(port), running)
        yield running
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


@define
class MqttClient:
    """A connection to a broker with a device's certificate."""

    connection: ssl.SSLSocket
    _packets: int = field(default=0)
    _messages: list[bytes] = field(factory=list)

    @classmethod
    def connect(cls, port: int, directory: Path) -> MqttClient:
        """Connect with ``cert.pem``, ``key.pem`` and ``ca.pem`` of a device's directory.

        Raises ``OSError``, of which ``ssl.SSLError`` is one: the broker does not let it in.
        """
        context = ssl.create_default_context(cafile=str(directory / "ca.pem"))
        context.load_cert_chain(directory / "cert.pem", directory / "key.pem")
        with contextlib.ExitStack() as stack:
            raw = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
            stack.callback(raw.close)
            client = cls(context.wrap_socket(raw, server_hostname="localhost"))
            stack.callback(client.connection.close)
            # Clean start, sixty seconds of keep-alive, no properties, an ID that the broker gives.
            hello = _text("MQTT") + b"\x05\x02\x00\x3c\x00" + _text("")
            body = client._ask(CONNECT, hello, CONNACK)
            if body[1]:
                raise ConnectionRefusedError(body.hex())
            stack.pop_all()
        return client

    def __enter__(self) -> MqttClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.connection.close()

    def publish(self, topic: str, message: bytes) -> int:
        """Publish at least once; return the broker's reason code."""
        body = _text(topic) + self._packet() + b"\x00" + message
        answer = self._ask(PUBLISH | AT_LEAST_ONCE, body, PUBACK)
        return answer[2] if len(answer) > 2 else 0

    def subscribe(self, topic: str) -> int:
        """Subscribe; return the broker's reason code."""
        body = self._packet() + b"\x00" + _text(topic) + b"\x01"
        answer = self._ask(SUBSCRIBE, body, SUBACK)
        return answer[-1]

    def message(self) -> tuple[str, bytes]:
        """Return the next message: topic and content."""
        while not self._messages:
            self._note(*self._read())
        body = self._messages.pop(0)
        end = 2 + int.from_bytes(body[:2], "big")
        # A packet number, and a length of no properties.
        return body[2:end].decode(), body[end + 3 :]

    def _ask(self, kind: int, body: bytes, expected: int) -> bytes:
        """Send a packet; return the answer's content. Messages may come before the answer."""
        assert len(body) < 128 * 128
        length = (
            bytes((len(body),))
            if len(body) < 128
            else bytes((len(body) % 128 | 0x80, len(body) // 128))
        )
        self.connection.sendall(bytes((kind,)) + length + body)
        while True:
            answered, content = self._read()
            if answered == expected:
                return content
            self._note(answered, content)

    def _note(self, kind: int, content: bytes) -> None:
        if kind & 0xF0 != PUBLISH:
            raise ConnectionAbortedError(f"the broker said {kind:02x} {content.hex()}")
        self._messages.append(content)

    def _read(self) -> tuple[int, bytes]:
        kind, length, shift = self._bytes(1)[0], 0, 0
        while True:
            byte = self._bytes(1)[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return kind, self._bytes(length)

    def _bytes(self, number: int) -> bytes:
        found = b""
        while len(found) < number:
            if not (more := self.connection.recv(number - len(found))):
                raise ConnectionResetError("the broker has closed the connection")
            found += more
        return found

    def _packet(self) -> bytes:
        self._packets += 1
        return self._packets.to_bytes(2, "big")


def _text(text: str) -> bytes:
    return len(text.encode()).to_bytes(2, "big") + text.encode()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def _wait(condition: Callable[[], bool], broker: Mosquitto) -> None:
    ends = time.monotonic() + PATIENCE
    while not condition():
        if broker.process.poll() is not None or time.monotonic() > ends:
            pytest.fail(f"mosquitto: {(broker.directory / 'log').read_text()}")
        time.sleep(0.05)


def _is_root() -> bool:
    return os.geteuid() == 0
