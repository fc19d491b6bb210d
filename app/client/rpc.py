"""Every call of the gRPC services; written by build.py from the API's description."""

from collections.abc import AsyncIterator
from typing import Any

import grpc

from . import postrider_pb2 as pb


class Rpc:
    """Calls over a channel: `grpc.aio.insecure_channel("host:9090")`, or a secure one."""

    def __init__(self, channel: grpc.aio.Channel, token: str) -> None:
        self._channel: Any = channel
        self._metadata = (("authorization", f"Bearer {token}"),)

    def _call(self, kind: str, path: str, given: Any, request: Any, response: Any, timeout: float | None) -> Any:
        call = getattr(self._channel, kind)(
            path, request_serializer=request.SerializeToString, response_deserializer=response.FromString
        )
        return call(given, metadata=self._metadata, timeout=timeout, wait_for_ready=True)

    def watch_route(
        self, request: pb.WatchRouteRequest, *, timeout: float | None = None
    ) -> AsyncIterator[pb.WatchRouteResponse]:
        """`/postrider.v1.CourierService/WatchRoute`."""
        stream: AsyncIterator[pb.WatchRouteResponse] = self._call(
            "unary_stream",
            "/postrider.v1.CourierService/WatchRoute",
            request,
            pb.WatchRouteRequest,
            pb.WatchRouteResponse,
            timeout,
        )
        return stream

    async def accept(self, request: pb.AcceptRequest, *, timeout: float | None = None) -> pb.AcceptResponse:
        """`/postrider.v1.CourierService/Accept`."""
        answer: pb.AcceptResponse = await self._call(
            "unary_unary", "/postrider.v1.CourierService/Accept", request, pb.AcceptRequest, pb.AcceptResponse, timeout
        )
        return answer

    async def reject(self, request: pb.RejectRequest, *, timeout: float | None = None) -> pb.RejectResponse:
        """`/postrider.v1.CourierService/Reject`."""
        answer: pb.RejectResponse = await self._call(
            "unary_unary", "/postrider.v1.CourierService/Reject", request, pb.RejectRequest, pb.RejectResponse, timeout
        )
        return answer

    async def arrived(self, request: pb.ArrivedRequest, *, timeout: float | None = None) -> pb.ArrivedResponse:
        """`/postrider.v1.CourierService/Arrived`."""
        answer: pb.ArrivedResponse = await self._call(
            "unary_unary",
            "/postrider.v1.CourierService/Arrived",
            request,
            pb.ArrivedRequest,
            pb.ArrivedResponse,
            timeout,
        )
        return answer

    async def picked_up(self, request: pb.PickedUpRequest, *, timeout: float | None = None) -> pb.PickedUpResponse:
        """`/postrider.v1.CourierService/PickedUp`."""
        answer: pb.PickedUpResponse = await self._call(
            "unary_unary",
            "/postrider.v1.CourierService/PickedUp",
            request,
            pb.PickedUpRequest,
            pb.PickedUpResponse,
            timeout,
        )
        return answer

    async def delivered(self, request: pb.DeliveredRequest, *, timeout: float | None = None) -> pb.DeliveredResponse:
        """`/postrider.v1.CourierService/Delivered`."""
        answer: pb.DeliveredResponse = await self._call(
            "unary_unary",
            "/postrider.v1.CourierService/Delivered",
            request,
            pb.DeliveredRequest,
            pb.DeliveredResponse,
            timeout,
        )
        return answer

    async def failed(self, request: pb.FailedRequest, *, timeout: float | None = None) -> pb.FailedResponse:
        """`/postrider.v1.CourierService/Failed`."""
        answer: pb.FailedResponse = await self._call(
            "unary_unary", "/postrider.v1.CourierService/Failed", request, pb.FailedRequest, pb.FailedResponse, timeout
        )
        return answer

    async def give_back(self, request: pb.GiveBackRequest, *, timeout: float | None = None) -> pb.GiveBackResponse:
        """`/postrider.v1.CourierService/GiveBack`."""
        answer: pb.GiveBackResponse = await self._call(
            "unary_unary",
            "/postrider.v1.CourierService/GiveBack",
            request,
            pb.GiveBackRequest,
            pb.GiveBackResponse,
            timeout,
        )
        return answer

    async def positions(
        self, requests: AsyncIterator[pb.PositionsRequest], *, timeout: float | None = None
    ) -> pb.PositionsResponse:
        """`/postrider.v1.PositionService/Positions`."""
        answer: pb.PositionsResponse = await self._call(
            "stream_unary",
            "/postrider.v1.PositionService/Positions",
            requests,
            pb.PositionsRequest,
            pb.PositionsResponse,
            timeout,
        )
        return answer
