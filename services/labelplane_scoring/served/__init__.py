"""Inference by a server of the v2 protocol, such as Triton: which model it is asked for, and how it is asked.

Modules load gRPC and the server's messages when a server is first asked: jobs that infer in process need neither.
"""
