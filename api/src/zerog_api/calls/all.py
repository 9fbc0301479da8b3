"""All handlers of the API, those that are called most first: Tornado tries them in this order."""

from zerog_api.calls import controls, jobs, many, overview, specification, system, types
from zerog_api.edge import pages
from zerog_api.edge.handler import Handler

#: What the specification describes.
CALLS: tuple[type[Handler], ...] = (
    jobs.JobHandler,
    jobs.ProgressHandler,
    jobs.DataHandler,
    jobs.InfoHandler,
    jobs.FollowHandler,
    jobs.RunBatchHandler,
    many.JobsHandler,
    jobs.CancelHandler,
    jobs.RetryHandler,
    many.CancelManyHandler,
    many.RetryManyHandler,
    many.DeleteManyHandler,
    types.TypesHandler,
    types.TypeHandler,
    overview.QueuesHandler,
    controls.PauseHandler,
    controls.ResumeHandler,
    overview.WorkersHandler,
    controls.DrainHandler,
    controls.UndrainHandler,
    overview.PoolsHandler,
    overview.StatsHandler,
    overview.FollowOverviewHandler,
    specification.SpecificationHandler,
    specification.Specification30Handler,
    system.HealthHandler,
    system.ReadyHandler,
    system.MetricsHandler,
)
PAGES: tuple[type[Handler], ...] = (pages.IndexHandler, pages.DocsHandler, pages.StaticHandler)
