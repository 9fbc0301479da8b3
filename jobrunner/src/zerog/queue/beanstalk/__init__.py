"""beanstalkd's protocol, pipelined connections on the event loop, and a local server."""
