"""/metrics, /healthz and /readyz.

Healthy means that the loops turn: this one, for whoever answers here turns, and that of each pool.
An API server or a queue that is away is no reason for a restart: the loops turn all the same.
"""

import time

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from zerog_operator.world import World

#: A pool whose loop has not turned for so long is stuck: every call of a look has a deadline.
STUCK_SECONDS = 120.0


async def serve_probes(world: World, host: str, port: int) -> web.AppRunner:
    """Serve until the runner is cleaned up. A standby is ready: it could take over."""

    async def metrics(_: web.Request) -> web.Response:
        body = generate_latest(world.metrics.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(_: web.Request) -> web.Response:
        late = time.monotonic() - STUCK_SECONDS
        stuck = [f"{namespace}/{pool}" for (namespace, pool), turn in world.turns.items()
                 if turn < late]  # fmt: skip
        if stuck:
            return web.Response(status=503, text=f"stuck: {', '.join(sorted(stuck))}\n")
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    app = web.Application()
    app.add_routes(
        [web.get("/metrics", metrics), web.get("/healthz", healthz), web.get("/readyz", readyz)]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner
