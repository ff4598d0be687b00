# A device's bootstrap client for MicroPython: sockets, TLS and JSON of the firmware, nothing else.
#
#     import device_micropython as device
#     configuration = device.refresh("bootstrap.example.com", 443, "press-7", "the-key", ca=CA_DER)
#
# ca is the authority's certificate (DER on most ports); without it nothing proves who answers.
# It runs on CPython as well, which is how it is tested.

import json
import os
import socket
import ssl

STATE = "bootstrap.json"
LARGEST_ANSWER = 64 * 1024
LINE_MOST, LINES_MOST = 1024, 64
UNRESERVED = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"


class Refused(Exception):
    # args: status, seconds to wait before the next request
    pass


def escaped(text):
    # The whole ID is one segment of the path, in percent-encoded UTF-8.
    return "".join(chr(b) if b in UNRESERVED else "%%%02X" % b for b in text.encode())


def request_of(host, external_id, key, etag):
    lines = [
        b"GET /clients/bootstrap/" + escaped(external_id).encode() + b" HTTP/1.0",
        b"Host: " + host.encode(),
        b"Authorization: Client " + key.encode(),
    ]
    if etag:
        lines.append(b"If-None-Match: " + etag.encode())
    return b"\r\n".join(lines) + b"\r\n\r\n"


def connect(host, port, ca, tls):
    plain = socket.socket()
    try:
        plain.settimeout(30)
        plain.connect(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0][-1])
        if not tls:
            return plain
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if ca:
            context.load_verify_locations(cadata=ca)
            context.verify_mode = ssl.CERT_REQUIRED
        else:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context.wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


def read_answer(stream):
    words = stream.readline(LINE_MOST).split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/"):
        raise OSError("no answer of HTTP")
    headers = {}
    for _ in range(LINES_MOST):
        line = stream.readline(LINE_MOST).strip()
        if not line:
            break
        colon = line.find(b":")
        headers[line[:colon].lower()] = line[colon + 1 :].strip()
    return int(words[1]), headers


def read_body(stream, headers):
    size = int(headers.get(b"content-length", b"0"))
    if size > LARGEST_ANSWER:
        raise OSError("the answer is too large for this device")
    body = b""
    while len(body) < size:
        part = stream.read(size - len(body))
        if not part:
            # Half an answer is none: the service does not count it as fetched either.
            raise OSError("the answer broke off")
        body += part
    return body


def ask(host, port, external_id, key, etag="", ca=None, tls=True):
    # Returns the configuration and its ETag; None where the device has it already.
    link = connect(host, port, ca, tls)
    # CPython's sockets read lines through a file, which is to be closed as well.
    stream = link if hasattr(link, "readline") else link.makefile("rwb")
    try:
        stream.write(request_of(host, external_id, key, etag))
        if hasattr(stream, "flush"):
            stream.flush()
        status, headers = read_answer(stream)
        if status == 304:
            return None, etag
        if status != 200:
            told = headers.get(b"retry-after", b"")
            # 403 changes when people do something; all else may pass.
            wait = int(told) if told.isdigit() else 300 if status == 403 else 30
            raise Refused(status, wait)
        body = read_body(stream, headers)
        return json.loads(body), headers.get(b"etag", b"").decode()
    finally:
        stream.close()
        link.close()


def load(file=STATE):
    try:
        with open(file) as stream:
            return json.load(stream)
    except (OSError, ValueError):
        return {}


def keep(kept, file=STATE):
    # After a power cut it is the old or the new one.
    with open(file + ".new", "w") as stream:
        json.dump(kept, stream)
    os.rename(file + ".new", file)


def refresh(host, port, external_id, key, file=STATE, ca=None, tls=True):
    # Returns the configuration in force; raises OSError and Refused.
    kept = load(file)
    before = kept.get("configuration")
    etag = kept.get("etag", "") if before else ""
    fresh, etag = ask(host, port, external_id, key, etag, ca, tls)
    if fresh is None:
        return before
    if before and not fresh["client_key"] and fresh["client_cert"] == before["client_cert"]:
        # The service may give the private key once only.
        fresh["client_key"] = before["client_key"]
    keep({"etag": etag, "configuration": fresh}, file)
    return fresh
