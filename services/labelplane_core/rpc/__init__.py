"""gRPC plumbing: the server with its interceptors, and channels that carry the job's token."""

from labelplane_core.rpc.channel import open_channel
from labelplane_core.rpc.server import Registration, RpcServer, TlsFiles

__all__ = ["Registration", "RpcServer", "TlsFiles", "open_channel"]
