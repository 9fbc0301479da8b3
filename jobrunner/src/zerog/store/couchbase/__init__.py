"""The production datastore: Couchbase, through its own SDK.

    store        the `zerog.store.port.Datastore`
    writes       write once although an answer may be lost
    patches      changes inside documents: sub-document operations, or a loop of compare-and-swap
    connection   one cluster object per process, its login and its end
    failures     what the SDK's exceptions mean
    listing      by SQL++ (`statements`), or by keys alone (`directory`) without a query service
    setup        `zerog datastore init` and `check`

Nothing outside this package imports the SDK, and nothing imports this package before a
`couchbase:` URL is opened: it costs 33 MB and a sixth of a second.
"""
