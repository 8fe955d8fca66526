"""Carries TCP connections on: `python -m tests.faults.forwarding HERE THERE PORT…`, the same ports on both sides."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

CHUNK_BYTES = 65_536


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    writer.close()


async def _forward(here: str, there: str, ports: list[int]) -> None:
    def accepting(port: int) -> object:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                far_reader, far_writer = await asyncio.open_connection(there, port)
            except OSError:
                writer.close()
                return
            await asyncio.gather(_carry(reader, far_writer), _carry(far_reader, writer))

        return accept

    servers = [await asyncio.start_server(accepting(port), here, port) for port in ports]  # type: ignore[arg-type]
    print("ready", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(_forward(sys.argv[1], sys.argv[2], [int(port) for port in sys.argv[3:]]))
