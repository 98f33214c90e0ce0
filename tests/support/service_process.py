"""A service as a process of its own, as a container runs it."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_LISTENS = re.compile(r"listens on (\S+) \(port (\d+)\)")


@dataclass
class ServiceProcess:
    """A running process and the lines that it has written so far."""

    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)
    _reading: "asyncio.Task[None] | None" = None
    _port: "asyncio.Future[int]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    async def port(self) -> int:
        """Return where it listens, once it does."""
        ended = asyncio.create_task(self.process.wait())
        await asyncio.wait({ended, self._port}, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        assert self._port.done(), "".join(self.lines)
        return self._port.result()

    async def stop(self) -> int:
        """Tell it to end as the kubelet does, and return its exit code."""
        self.process.terminate()
        return await self.ended()

    async def ended(self) -> int:
        """Return its exit code, once it has ended and everything that it wrote is read."""
        code = await self.process.wait()
        assert self._reading is not None
        await self._reading
        return code

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.lines.append(line.decode())
            if (found := _LISTENS.search(self.lines[-1])) and not self._port.done():
                self._port.set_result(int(found[2]))


@asynccontextmanager
async def service_process(module: str, environment: Mapping[str, str]) -> AsyncIterator[ServiceProcess]:
    """Run `python -m module` with these variables beside those of this process; it ends with the block."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("LABELPLANE_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, env={**own, **environment}, stderr=asyncio.subprocess.PIPE
    )
    running = ServiceProcess(process)
    running._reading = asyncio.create_task(running._read())
    try:
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        await running.ended()
