"""/metrics, /healthz and /readyz. Healthy means that the loop turns: whoever answers here turns."""

import time

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from zerog_operator.world import World

#: Without a look at any pool for so long, something is stuck.
STUCK_SECONDS = 60.0


async def serve_probes(world: World, host: str, port: int) -> web.AppRunner:
    """Serve until the runner is cleaned up. A standby is ready: it could take over."""

    async def metrics(_: web.Request) -> web.Response:
        body = generate_latest(world.metrics.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(_: web.Request) -> web.Response:
        stuck = world.last_look is not None and time.monotonic() - world.last_look > STUCK_SECONDS
        return web.Response(status=503 if stuck else 200, text="stuck\n" if stuck else "ok\n")

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
