"""What every service shares: errors, object storage, the work queue, tables, task kinds, operations, gRPC."""
