class BaseExecutor:
    serve_logs: bool
