"""A line with a delay: a TCP proxy that holds back every byte, in both directions, by half of a round trip."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress

CHUNK = 65536


class Line:
    """Listens on a free port of 127.0.0.1 and passes everything on to another, in a thread of its own."""

    def __init__(self, target: int, round_trip: float) -> None:
        self.target, self.round_trip = target, round_trip
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Line:
        self._thread.start()
        server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop)
        self.port = int(server.result().sockets[0].getsockname()[1])
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        self._loop.run_forever()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The kernel has accepted at once; on a real line the handshake takes a round trip.
        await asyncio.sleep(self.round_trip)
        back, forth = await asyncio.open_connection("127.0.0.1", self.target)
        self._start(self._carry(reader, forth))
        self._start(self._carry(back, writer))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what comes in; what is under way does not hold up what follows."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        self._start(self._deliver(under_way, writer))
        data = b"."
        while data:
            data = b""
            with suppress(ConnectionError):
                data = await reader.read(CHUNK)
            under_way.put_nowait((self._loop.time() + self.round_trip / 2, data))

    async def _deliver(self, under_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        data = b"."
        while data:
            due, data = await under_way.get()
            await asyncio.sleep(due - self._loop.time())
            with suppress(ConnectionError):
                writer.write(data)
                await writer.drain()
        writer.close()
