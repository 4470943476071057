"""What the composition does by itself."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from pathlib import Path

from authorities.rig import certificate
from house import StoryClock, eventually
from senryu.serve import keep_fresh


async def test_terminals_are_shown_a_renewed_certificate_without_a_restart(tmp_path: Path) -> None:
    first, second = certificate("localhost"), certificate("localhost")
    file = tmp_path / "default.pem"
    file.write_text(first[0] + first[1])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    clock = StoryClock()
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]

    async def is_shown(pem: str) -> bool:
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.transport.abort()
        return hashlib.sha256(shown).digest() == hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).digest()

    keeping = asyncio.create_task(keep_fresh(context, file, clock))
    async with server:
        assert await is_shown(first[0])
        file.write_text("torn")
        clock.advance(4000)
        await asyncio.sleep(0)
        assert await is_shown(first[0])
        file.write_text(second[0] + second[1])

        async def is_renewed() -> bool:
            clock.advance(4000)
            return await is_shown(second[0])

        await eventually(is_renewed, "the new certificate")
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
