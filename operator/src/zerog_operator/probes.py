"""/metrics, /healthz and /readyz.

Healthy means that the loops turn: this one, for whoever answers here turns, and that of each pool.
An API server or a queue that is away is no reason for a restart: the loops turn all the same. A
background task that ends is not reported here: it ends the process (`__main__`).
"""

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest


async def serve_probes(
    registry: CollectorRegistry, stuck: Callable[[], list[str]], host: str, port: int
) -> web.AppRunner:
    """Serve until the runner is cleaned up. A standby is ready: it could take over.

    `stuck` names the pools whose loops do not turn.
    """

    async def metrics(_: web.Request) -> web.Response:
        body = generate_latest(registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(_: web.Request) -> web.Response:
        if found := stuck():
            return web.Response(status=503, text=f"stuck: {', '.join(found)}\n")
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
