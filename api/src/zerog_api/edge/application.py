"""The Tornado application that serves the API by itself."""

from collections.abc import Sequence

from tornado.routing import URLSpec
from tornado.web import Application, RequestHandler

from zerog_api.edge.handler import Edge, NotFoundHandler


def make_application(rules: Sequence[URLSpec], edge: Edge) -> Application:
    """Return an application of these rules. All other paths are answered with a problem."""
    return Application(
        list(rules),
        default_handler_class=NotFoundHandler,
        default_handler_args={"edge": edge},
        log_function=_log_nothing,
    )


def _log_nothing(handler: RequestHandler) -> None:
    """Metrics count requests; a line for each would cost more than the rest of the answer."""
