"""TLS before a Postgres that has none: as libpq asks for it, with a certificate of the test's."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

SSL_REQUEST = (80877103).to_bytes(4, "big")


class _Front(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    target: tuple[str, int]
    context: ssl.SSLContext


class _Handler(socketserver.BaseRequestHandler):
    server: _Front

    def handle(self) -> None:
        while self.request.recv(8)[4:] != SSL_REQUEST:
            self.request.sendall(b"N")  # encryption by Kerberos, which libpq may ask for first
        self.request.sendall(b"S")
        with (
            contextlib.suppress(OSError),  # the client does not like the certificate
            self.server.context.wrap_socket(self.request, server_side=True) as client,
            socket.create_connection(self.server.target) as behind,
        ):
            back = threading.Thread(target=_copy, args=(behind, client), daemon=True)
            back.start()
            _copy(client, behind)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def encrypted(host: str, port: int, certificate: Path, key: Path) -> Iterator[int]:
    """The port of a front before `host:port`."""
    with _Front(("127.0.0.1", 0), _Handler) as front:
        front.target = (host, port)
        front.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        front.context.load_cert_chain(certificate, key)
        thread = threading.Thread(target=front.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield int(front.server_address[1])
        front.shutdown()
        thread.join()
