"""Every call of the API; written by build.py from the API's description."""

from __future__ import annotations

from typing import Any, Literal

from . import shapes
from .connection import Connection, at


class Calls(Connection):
    """A method a request; what a body holds says its type."""

    async def list_alerts(
        self,
        *,
        state: shapes.AlertState | None = None,
        kind: shapes.AlertKind | None = None,
        region: str | None = None,
        courier_id: str | None = None,
        order_id: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> shapes.PageOfAlert:
        """`GET /v1/alerts`."""
        answer: shapes.PageOfAlert = await self.ask(
            "GET",
            "/v1/alerts",
            query={
                "state": state,
                "kind": kind,
                "region": region,
                "courier_id": courier_id,
                "order_id": order_id,
                "cursor": cursor,
                "limit": limit,
            },
        )
        return answer

    async def acknowledge_alert(self, alert_id: str) -> shapes.Alert:
        """`POST /v1/alerts/{alert_id}/acknowledge`."""
        answer: shapes.Alert = await self.ask("POST", at("/v1/alerts/{alert_id}/acknowledge", alert_id=alert_id))
        return answer

    async def assign_alert(self, alert_id: str, body: shapes.Assignment) -> shapes.Alert:
        """`POST /v1/alerts/{alert_id}/assign`."""
        answer: shapes.Alert = await self.ask("POST", at("/v1/alerts/{alert_id}/assign", alert_id=alert_id), body=body)
        return answer

    async def snooze_alert(self, alert_id: str, body: shapes.Snooze) -> shapes.Alert:
        """`POST /v1/alerts/{alert_id}/snooze`."""
        answer: shapes.Alert = await self.ask("POST", at("/v1/alerts/{alert_id}/snooze", alert_id=alert_id), body=body)
        return answer

    async def list_audit(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        subject: str | None = None,
        from_: str | None = None,
        to: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
        format: Literal["json", "csv", None] = None,
    ) -> Any:
        """`GET /v1/audit`."""
        answer: Any = await self.ask(
            "GET",
            "/v1/audit",
            query={
                "actor": actor,
                "action": action,
                "subject": subject,
                "from": from_,
                "to": to,
                "cursor": cursor,
                "limit": limit,
                "format": format,
            },
        )
        return answer

    async def list_channels(self) -> shapes.PageOfChannel:
        """`GET /v1/channels`."""
        answer: shapes.PageOfChannel = await self.ask("GET", "/v1/channels")
        return answer

    async def create_channel(self, body: shapes.NewChannel, *, key: str | None = None) -> shapes.Channel:
        """`POST /v1/channels`."""
        answer: shapes.Channel = await self.ask("POST", "/v1/channels", body=body, key=key)
        return answer

    async def change_channel(self, channel_id: str, body: shapes.ChannelPatch) -> shapes.Channel:
        """`PATCH /v1/channels/{channel_id}`."""
        answer: shapes.Channel = await self.ask(
            "PATCH", at("/v1/channels/{channel_id}", channel_id=channel_id), body=body
        )
        return answer

    async def delete_channel(self, channel_id: str) -> None:
        """`DELETE /v1/channels/{channel_id}`."""
        await self.ask("DELETE", at("/v1/channels/{channel_id}", channel_id=channel_id))

    async def try_channel(self, channel_id: str, body: shapes.Trial | None = None) -> shapes.Tried:
        """`POST /v1/channels/{channel_id}/test`."""
        answer: shapes.Tried = await self.ask(
            "POST", at("/v1/channels/{channel_id}/test", channel_id=channel_id), body=body
        )
        return answer

    async def list_couriers(
        self,
        *,
        region: str | None = None,
        mode: shapes.Mode | None = None,
        external_id: str | None = None,
        on_duty: bool | None = None,
        q: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> shapes.PageOfCourier:
        """`GET /v1/couriers`."""
        answer: shapes.PageOfCourier = await self.ask(
            "GET",
            "/v1/couriers",
            query={
                "region": region,
                "mode": mode,
                "external_id": external_id,
                "on_duty": on_duty,
                "q": q,
                "cursor": cursor,
                "limit": limit,
            },
        )
        return answer

    async def add_courier(self, body: shapes.NewCourier, *, key: str | None = None) -> shapes.Courier:
        """`POST /v1/couriers`."""
        answer: shapes.Courier = await self.ask("POST", "/v1/couriers", body=body, key=key)
        return answer

    async def list_nearby(
        self,
        *,
        lat: float,
        lon: float,
        radius_m: float | None = None,
        limit: int | None = None,
        mode: shapes.Mode | None = None,
        max_age_s: float | None = None,
    ) -> shapes.Nearby:
        """`GET /v1/couriers/nearby`."""
        answer: shapes.Nearby = await self.ask(
            "GET",
            "/v1/couriers/nearby",
            query={"lat": lat, "lon": lon, "radius_m": radius_m, "limit": limit, "mode": mode, "max_age_s": max_age_s},
        )
        return answer

    async def get_courier(self, courier_id: str) -> shapes.Courier:
        """`GET /v1/couriers/{courier_id}`."""
        answer: shapes.Courier = await self.ask("GET", at("/v1/couriers/{courier_id}", courier_id=courier_id))
        return answer

    async def change_courier(
        self, courier_id: str, body: shapes.CourierPatch, *, if_match: str | None = None
    ) -> shapes.Courier:
        """`PATCH /v1/couriers/{courier_id}`."""
        answer: shapes.Courier = await self.ask(
            "PATCH", at("/v1/couriers/{courier_id}", courier_id=courier_id), body=body, if_match=if_match
        )
        return answer

    async def remove_courier(self, courier_id: str, *, erase: bool | None = None) -> None:
        """`DELETE /v1/couriers/{courier_id}`."""
        await self.ask("DELETE", at("/v1/couriers/{courier_id}", courier_id=courier_id), query={"erase": erase})

    async def list_breaks(
        self, courier_id: str, *, ending_after: str | None = None, starting_before: str | None = None
    ) -> shapes.PageOfRestShape:
        """`GET /v1/couriers/{courier_id}/breaks`."""
        answer: shapes.PageOfRestShape = await self.ask(
            "GET",
            at("/v1/couriers/{courier_id}/breaks", courier_id=courier_id),
            query={"ending_after": ending_after, "starting_before": starting_before},
        )
        return answer

    async def end_break(self, courier_id: str, body: shapes.EndOfBreak | None = None) -> shapes.RestShape:
        """`POST /v1/couriers/{courier_id}/breaks/end`."""
        answer: shapes.RestShape = await self.ask(
            "POST", at("/v1/couriers/{courier_id}/breaks/end", courier_id=courier_id), body=body
        )
        return answer

    async def start_break(self, courier_id: str, body: shapes.StartOfBreak | None = None) -> shapes.RestShape:
        """`POST /v1/couriers/{courier_id}/breaks/start`."""
        answer: shapes.RestShape = await self.ask(
            "POST", at("/v1/couriers/{courier_id}/breaks/start", courier_id=courier_id), body=body
        )
        return answer

    async def couriers_get_day(self, courier_id: str) -> shapes.Day:
        """`GET /v1/couriers/{courier_id}/day`."""
        answer: shapes.Day = await self.ask("GET", at("/v1/couriers/{courier_id}/day", courier_id=courier_id))
        return answer

    async def connect_device(self, courier_id: str, body: shapes.UserCode) -> None:
        """`POST /v1/couriers/{courier_id}/devices`."""
        await self.ask("POST", at("/v1/couriers/{courier_id}/devices", courier_id=courier_id), body=body)

    async def export_courier(self, courier_id: str) -> Any:
        """`GET /v1/couriers/{courier_id}/export`."""
        answer: Any = await self.ask("GET", at("/v1/couriers/{courier_id}/export", courier_id=courier_id))
        return answer

    async def count_held(self, courier_id: str) -> shapes.PageOfHeld:
        """`GET /v1/couriers/{courier_id}/held`."""
        answer: shapes.PageOfHeld = await self.ask("GET", at("/v1/couriers/{courier_id}/held", courier_id=courier_id))
        return answer

    async def invite_courier(self, courier_id: str) -> shapes.InvitationShape:
        """`POST /v1/couriers/{courier_id}/invitations`."""
        answer: shapes.InvitationShape = await self.ask(
            "POST", at("/v1/couriers/{courier_id}/invitations", courier_id=courier_id)
        )
        return answer

    async def list_messages(
        self, courier_id: str, *, cursor: str | None = None, limit: int | None = None
    ) -> shapes.PageOfCourierMessage:
        """`GET /v1/couriers/{courier_id}/messages`."""
        answer: shapes.PageOfCourierMessage = await self.ask(
            "GET",
            at("/v1/couriers/{courier_id}/messages", courier_id=courier_id),
            query={"cursor": cursor, "limit": limit},
        )
        return answer

    async def write_message(
        self, courier_id: str, body: shapes.NewMessage, *, key: str | None = None
    ) -> shapes.CourierMessage | dict[str, Any]:
        """`POST /v1/couriers/{courier_id}/messages`."""
        answer: shapes.CourierMessage | dict[str, Any] = await self.ask(
            "POST", at("/v1/couriers/{courier_id}/messages", courier_id=courier_id), body=body, key=key
        )
        return answer

    async def go_off_duty(self, courier_id: str) -> shapes.DutyShape:
        """`POST /v1/couriers/{courier_id}/off-duty`."""
        answer: shapes.DutyShape = await self.ask(
            "POST", at("/v1/couriers/{courier_id}/off-duty", courier_id=courier_id)
        )
        return answer

    async def go_on_duty(self, courier_id: str) -> shapes.DutyShape:
        """`POST /v1/couriers/{courier_id}/on-duty`."""
        answer: shapes.DutyShape = await self.ask(
            "POST", at("/v1/couriers/{courier_id}/on-duty", courier_id=courier_id)
        )
        return answer

    async def end_pause(self, courier_id: str) -> None:
        """`POST /v1/couriers/{courier_id}/pause/end`."""
        await self.ask("POST", at("/v1/couriers/{courier_id}/pause/end", courier_id=courier_id))

    async def get_courier_pay(
        self,
        courier_id: str,
        *,
        from_: str | None = None,
        to: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
        format: Literal["json", "csv", None] = None,
    ) -> Any:
        """`GET /v1/couriers/{courier_id}/pay`."""
        answer: Any = await self.ask(
            "GET",
            at("/v1/couriers/{courier_id}/pay", courier_id=courier_id),
            query={"from": from_, "to": to, "cursor": cursor, "limit": limit, "format": format},
        )
        return answer

    async def get_position(self, courier_id: str) -> shapes.PositionView:
        """`GET /v1/couriers/{courier_id}/position`."""
        answer: shapes.PositionView = await self.ask(
            "GET", at("/v1/couriers/{courier_id}/position", courier_id=courier_id)
        )
        return answer

    async def get_route(
        self, courier_id: str, *, planned: bool | None = None, geometry: bool | None = None
    ) -> shapes.RouteShape:
        """`GET /v1/couriers/{courier_id}/route`."""
        answer: shapes.RouteShape = await self.ask(
            "GET",
            at("/v1/couriers/{courier_id}/route", courier_id=courier_id),
            query={"planned": planned, "geometry": geometry},
        )
        return answer

    async def reorder_route(
        self, courier_id: str, body: shapes.Sequence, *, preview: bool | None = None
    ) -> shapes.RouteShape:
        """`POST /v1/couriers/{courier_id}/route/reorder`."""
        answer: shapes.RouteShape = await self.ask(
            "POST",
            at("/v1/couriers/{courier_id}/route/reorder", courier_id=courier_id),
            body=body,
            query={"preview": preview},
        )
        return answer

    async def list_shifts(
        self, courier_id: str, *, ending_after: str | None = None, starting_before: str | None = None
    ) -> shapes.PageOfShiftShape:
        """`GET /v1/couriers/{courier_id}/shifts`."""
        answer: shapes.PageOfShiftShape = await self.ask(
            "GET",
            at("/v1/couriers/{courier_id}/shifts", courier_id=courier_id),
            query={"ending_after": ending_after, "starting_before": starting_before},
        )
        return answer

    async def add_shift(self, courier_id: str, body: shapes.NewShifts, *, key: str | None = None) -> shapes.ShiftShape:
        """`POST /v1/couriers/{courier_id}/shifts`."""
        answer: shapes.ShiftShape = await self.ask(
            "POST", at("/v1/couriers/{courier_id}/shifts", courier_id=courier_id), body=body, key=key
        )
        return answer

    async def change_shift(self, courier_id: str, shift_id: str, body: shapes.ShiftChange) -> shapes.ShiftShape:
        """`PATCH /v1/couriers/{courier_id}/shifts/{shift_id}`."""
        answer: shapes.ShiftShape = await self.ask(
            "PATCH",
            at("/v1/couriers/{courier_id}/shifts/{shift_id}", courier_id=courier_id, shift_id=shift_id),
            body=body,
        )
        return answer

    async def remove_shift(self, courier_id: str, shift_id: str, *, following: bool | None = None) -> None:
        """`DELETE /v1/couriers/{courier_id}/shifts/{shift_id}`."""
        await self.ask(
            "DELETE",
            at("/v1/couriers/{courier_id}/shifts/{shift_id}", courier_id=courier_id, shift_id=shift_id),
            query={"following": following},
        )

    async def list_stops(
        self,
        courier_id: str,
        *,
        from_: str | None = None,
        to: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> shapes.PageAppRoutesStopsStayViewAppRoutesStopsTripViewAppRoutesStopsGapView:
        """`GET /v1/couriers/{courier_id}/stops`."""
        answer: shapes.PageAppRoutesStopsStayViewAppRoutesStopsTripViewAppRoutesStopsGapView = await self.ask(
            "GET",
            at("/v1/couriers/{courier_id}/stops", courier_id=courier_id),
            query={"from": from_, "to": to, "cursor": cursor, "limit": limit},
        )
        return answer

    async def list_suggestions(self, courier_id: str, *, limit: int | None = None) -> shapes.SuggestionsShape:
        """`GET /v1/couriers/{courier_id}/suggestions`."""
        answer: shapes.SuggestionsShape = await self.ask(
            "GET", at("/v1/couriers/{courier_id}/suggestions", courier_id=courier_id), query={"limit": limit}
        )
        return answer

    async def issue_device_token(
        self, courier_id: str, body: shapes.NewDeviceToken | None = None
    ) -> shapes.IssuedToken:
        """`POST /v1/couriers/{courier_id}/tokens`."""
        answer: shapes.IssuedToken = await self.ask(
            "POST", at("/v1/couriers/{courier_id}/tokens", courier_id=courier_id), body=body
        )
        return answer

    async def get_track(
        self,
        courier_id: str,
        *,
        from_: str | None = None,
        to: str | None = None,
        resolution: Literal["raw", "1m", "1h", "auto"] | None = None,
        format: shapes.TrackFormat | None = None,
        marked: bool | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        matched: bool | None = None,
    ) -> Any:
        """`GET /v1/couriers/{courier_id}/track`."""
        answer: Any = await self.ask(
            "GET",
            at("/v1/couriers/{courier_id}/track", courier_id=courier_id),
            query={
                "from": from_,
                "to": to,
                "resolution": resolution,
                "format": format,
                "marked": marked,
                "limit": limit,
                "cursor": cursor,
                "matched": matched,
            },
        )
        return answer

    async def list_visits(
        self, courier_id: str, *, from_: str | None = None, to: str | None = None, limit: int | None = None
    ) -> shapes.PageOfVisitView:
        """`GET /v1/couriers/{courier_id}/visits`."""
        answer: shapes.PageOfVisitView = await self.ask(
            "GET",
            at("/v1/couriers/{courier_id}/visits", courier_id=courier_id),
            query={"from": from_, "to": to, "limit": limit},
        )
        return answer

    async def list_fence_events(
        self,
        *,
        region: str | None = None,
        fence_id: str | None = None,
        courier_id: str | None = None,
        from_: str | None = None,
        to: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> shapes.PageOfFenceEventView:
        """`GET /v1/fence-events`."""
        answer: shapes.PageOfFenceEventView = await self.ask(
            "GET",
            "/v1/fence-events",
            query={
                "region": region,
                "fence_id": fence_id,
                "courier_id": courier_id,
                "from": from_,
                "to": to,
                "cursor": cursor,
                "limit": limit,
            },
        )
        return answer

    async def find_address(self, *, q: str, limit: int | None = None, near: str | None = None) -> shapes.Answer:
        """`GET /v1/geocode`."""
        answer: shapes.Answer = await self.ask("GET", "/v1/geocode", query={"q": q, "limit": limit, "near": near})
        return answer

    async def find_address_of_point(self, *, lat: float, lon: float, limit: int | None = None) -> shapes.Answer:
        """`GET /v1/geocode/reverse`."""
        answer: shapes.Answer = await self.ask(
            "GET", "/v1/geocode/reverse", query={"lat": lat, "lon": lon, "limit": limit}
        )
        return answer

    async def list_geofences(
        self, *, region: str | None = None, tag: str | None = None, cursor: str | None = None, limit: int | None = None
    ) -> shapes.PageOfGeofence:
        """`GET /v1/geofences`."""
        answer: shapes.PageOfGeofence = await self.ask(
            "GET", "/v1/geofences", query={"region": region, "tag": tag, "cursor": cursor, "limit": limit}
        )
        return answer

    async def add_geofence(self, body: shapes.NewGeofence) -> shapes.Geofence:
        """`POST /v1/geofences`."""
        answer: shapes.Geofence = await self.ask("POST", "/v1/geofences", body=body)
        return answer

    async def get_geofence(self, fence_id: str) -> shapes.Geofence:
        """`GET /v1/geofences/{fence_id}`."""
        answer: shapes.Geofence = await self.ask("GET", at("/v1/geofences/{fence_id}", fence_id=fence_id))
        return answer

    async def change_geofence(
        self, fence_id: str, body: shapes.GeofencePatch, *, if_match: str | None = None
    ) -> shapes.Geofence:
        """`PATCH /v1/geofences/{fence_id}`."""
        answer: shapes.Geofence = await self.ask(
            "PATCH", at("/v1/geofences/{fence_id}", fence_id=fence_id), body=body, if_match=if_match
        )
        return answer

    async def remove_geofence(self, fence_id: str) -> None:
        """`DELETE /v1/geofences/{fence_id}`."""
        await self.ask("DELETE", at("/v1/geofences/{fence_id}", fence_id=fence_id))

    async def check_installation(self) -> shapes.Check:
        """`GET /v1/installation/check`."""
        answer: shapes.Check = await self.ask("GET", "/v1/installation/check")
        return answer

    async def list_retention(self) -> shapes.PageOfKept:
        """`GET /v1/installation/retention`."""
        answer: shapes.PageOfKept = await self.ask("GET", "/v1/installation/retention")
        return answer

    async def who_am_i(self) -> shapes.Me:
        """`GET /v1/me`."""
        answer: shapes.Me = await self.ask("GET", "/v1/me")
        return answer

    async def connect_own_device(self, body: shapes.UserCode) -> None:
        """`POST /v1/me/devices`."""
        await self.ask("POST", "/v1/me/devices", body=body)

    async def set_password(self, body: shapes.NewPassword) -> None:
        """`POST /v1/me/password`."""
        await self.ask("POST", "/v1/me/password", body=body)

    async def get_push_key(self) -> shapes.PushKey:
        """`GET /v1/me/push`."""
        answer: shapes.PushKey = await self.ask("GET", "/v1/me/push")
        return answer

    async def subscribe(self, body: shapes.Subscription) -> None:
        """`PUT /v1/me/push`."""
        await self.ask("PUT", "/v1/me/push", body=body)

    async def unsubscribe(self, body: shapes.Ended) -> None:
        """`DELETE /v1/me/push`."""
        await self.ask("DELETE", "/v1/me/push", body=body)

    async def get_second_factor(self) -> shapes.SecondFactorState:
        """`GET /v1/me/second-factor`."""
        answer: shapes.SecondFactorState = await self.ask("GET", "/v1/me/second-factor")
        return answer

    async def begin_second_factor(self) -> shapes.SecondFactorSetup:
        """`POST /v1/me/second-factor`."""
        answer: shapes.SecondFactorSetup = await self.ask("POST", "/v1/me/second-factor")
        return answer

    async def confirm_second_factor(self, body: shapes.Confirmation) -> shapes.RecoveryCodes:
        """`POST /v1/me/second-factor/confirm`."""
        answer: shapes.RecoveryCodes = await self.ask("POST", "/v1/me/second-factor/confirm", body=body)
        return answer

    async def remove_second_factor(self, body: shapes.AccountProof) -> None:
        """`POST /v1/me/second-factor/remove`."""
        await self.ask("POST", "/v1/me/second-factor/remove", body=body)

    async def list_offers(
        self,
        *,
        state: list[shapes.OfferState] | None = None,
        courier_id: str | None = None,
        order_id: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> shapes.PageOfOfferShape:
        """`GET /v1/offers`."""
        answer: shapes.PageOfOfferShape = await self.ask(
            "GET",
            "/v1/offers",
            query={"state": state, "courier_id": courier_id, "order_id": order_id, "cursor": cursor, "limit": limit},
        )
        return answer

    async def get_offer(self, offer_id: str) -> shapes.OfferShape:
        """`GET /v1/offers/{offer_id}`."""
        answer: shapes.OfferShape = await self.ask("GET", at("/v1/offers/{offer_id}", offer_id=offer_id))
        return answer

    async def accept_offer(self, offer_id: str, body: shapes.Acceptance | None = None) -> shapes.AcceptedShape:
        """`POST /v1/offers/{offer_id}/accept`."""
        answer: shapes.AcceptedShape = await self.ask(
            "POST", at("/v1/offers/{offer_id}/accept", offer_id=offer_id), body=body
        )
        return answer

    async def reject_offer(self, offer_id: str, body: shapes.Rejection | None = None) -> shapes.OfferShape:
        """`POST /v1/offers/{offer_id}/reject`."""
        answer: shapes.OfferShape = await self.ask(
            "POST", at("/v1/offers/{offer_id}/reject", offer_id=offer_id), body=body
        )
        return answer

    async def list_orders(
        self,
        *,
        state: list[shapes.OrderState] | None = None,
        region: str | None = None,
        courier_id: str | None = None,
        customer_id: str | None = None,
        q: str | None = None,
        placed_from: str | None = None,
        placed_before: str | None = None,
        unassigned: bool | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> shapes.PageOfOrderShape:
        """`GET /v1/orders`."""
        answer: shapes.PageOfOrderShape = await self.ask(
            "GET",
            "/v1/orders",
            query={
                "state": state,
                "region": region,
                "courier_id": courier_id,
                "customer_id": customer_id,
                "q": q,
                "placed_from": placed_from,
                "placed_before": placed_before,
                "unassigned": unassigned,
                "cursor": cursor,
                "limit": limit,
            },
        )
        return answer

    async def place_order(self, body: shapes.NewOrderShape, *, key: str | None = None) -> shapes.OrderShape:
        """`POST /v1/orders`."""
        answer: shapes.OrderShape = await self.ask("POST", "/v1/orders", body=body, key=key)
        return answer

    async def change_many(self, body: shapes.Bulk, *, key: str | None = None) -> shapes.BulkDone:
        """`POST /v1/orders/bulk`."""
        answer: shapes.BulkDone = await self.ask("POST", "/v1/orders/bulk", body=body, key=key)
        return answer

    async def import_orders(self, *, preview: bool | None = None, key: str | None = None) -> shapes.Imported:
        """`POST /v1/orders/import`."""
        answer: shapes.Imported = await self.ask("POST", "/v1/orders/import", query={"preview": preview}, key=key)
        return answer

    async def get_order(self, order_id: str) -> shapes.OrderShape:
        """`GET /v1/orders/{order_id}`."""
        answer: shapes.OrderShape = await self.ask("GET", at("/v1/orders/{order_id}", order_id=order_id))
        return answer

    async def change_order(
        self, order_id: str, body: shapes.OrderPatch, *, if_match: str | None = None
    ) -> shapes.OrderShape:
        """`PATCH /v1/orders/{order_id}`."""
        answer: shapes.OrderShape = await self.ask(
            "PATCH", at("/v1/orders/{order_id}", order_id=order_id), body=body, if_match=if_match
        )
        return answer

    async def arrived(self, order_id: str, body: shapes.Arrived | None = None) -> shapes.ArrivedShape:
        """`POST /v1/orders/{order_id}/arrived`."""
        answer: shapes.ArrivedShape = await self.ask(
            "POST", at("/v1/orders/{order_id}/arrived", order_id=order_id), body=body
        )
        return answer

    async def cancel_order(
        self, order_id: str, body: shapes.Why | None = None, *, if_match: str | None = None
    ) -> shapes.OrderShape:
        """`POST /v1/orders/{order_id}/cancel`."""
        answer: shapes.OrderShape = await self.ask(
            "POST", at("/v1/orders/{order_id}/cancel", order_id=order_id), body=body, if_match=if_match
        )
        return answer

    async def list_candidates(self, order_id: str, *, limit: int | None = None) -> shapes.CandidatesShape:
        """`GET /v1/orders/{order_id}/candidates`."""
        answer: shapes.CandidatesShape = await self.ask(
            "GET", at("/v1/orders/{order_id}/candidates", order_id=order_id), query={"limit": limit}
        )
        return answer

    async def change_code(self, order_id: str, body: shapes.NewCode | None = None) -> shapes.CodeShape:
        """`POST /v1/orders/{order_id}/code`."""
        answer: shapes.CodeShape = await self.ask(
            "POST", at("/v1/orders/{order_id}/code", order_id=order_id), body=body
        )
        return answer

    async def list_comments(self, order_id: str) -> shapes.PageOfCommentShape:
        """`GET /v1/orders/{order_id}/comments`."""
        answer: shapes.PageOfCommentShape = await self.ask(
            "GET", at("/v1/orders/{order_id}/comments", order_id=order_id)
        )
        return answer

    async def add_comment(
        self, order_id: str, body: shapes.NewComment, *, key: str | None = None
    ) -> shapes.CommentShape:
        """`POST /v1/orders/{order_id}/comments`."""
        answer: shapes.CommentShape = await self.ask(
            "POST", at("/v1/orders/{order_id}/comments", order_id=order_id), body=body, key=key
        )
        return answer

    async def delivered(self, order_id: str, body: shapes.Delivered | None = None) -> shapes.OrderShape:
        """`POST /v1/orders/{order_id}/delivered`."""
        answer: shapes.OrderShape = await self.ask(
            "POST", at("/v1/orders/{order_id}/delivered", order_id=order_id), body=body
        )
        return answer

    async def get_eta(self, order_id: str) -> shapes.OrderEtaShape:
        """`GET /v1/orders/{order_id}/eta`."""
        answer: shapes.OrderEtaShape = await self.ask("GET", at("/v1/orders/{order_id}/eta", order_id=order_id))
        return answer

    async def list_told(self, order_id: str) -> shapes.PageOfToldShape:
        """`GET /v1/orders/{order_id}/eta/history`."""
        answer: shapes.PageOfToldShape = await self.ask(
            "GET", at("/v1/orders/{order_id}/eta/history", order_id=order_id)
        )
        return answer

    async def list_events(self, order_id: str) -> shapes.PageOfEventShape:
        """`GET /v1/orders/{order_id}/events`."""
        answer: shapes.PageOfEventShape = await self.ask("GET", at("/v1/orders/{order_id}/events", order_id=order_id))
        return answer

    async def failed(self, order_id: str, body: shapes.Failed) -> shapes.OrderShape:
        """`POST /v1/orders/{order_id}/failed`."""
        answer: shapes.OrderShape = await self.ask(
            "POST", at("/v1/orders/{order_id}/failed", order_id=order_id), body=body
        )
        return answer

    async def give_back(self, order_id: str, body: shapes.GiveBack) -> shapes.OrderShape:
        """`POST /v1/orders/{order_id}/give-back`."""
        answer: shapes.OrderShape = await self.ask(
            "POST", at("/v1/orders/{order_id}/give-back", order_id=order_id), body=body
        )
        return answer

    async def picked_up(self, order_id: str, body: shapes.Collected | None = None) -> shapes.OrderShape:
        """`POST /v1/orders/{order_id}/picked-up`."""
        answer: shapes.OrderShape = await self.ask(
            "POST", at("/v1/orders/{order_id}/picked-up", order_id=order_id), body=body
        )
        return answer

    async def put_picture(
        self, order_id: str, picture_id: str, *, kind: Literal["photo", "signature"] | None = None
    ) -> shapes.PictureShape:
        """`PUT /v1/orders/{order_id}/pictures/{picture_id}`."""
        answer: shapes.PictureShape = await self.ask(
            "PUT",
            at("/v1/orders/{order_id}/pictures/{picture_id}", order_id=order_id, picture_id=picture_id),
            query={"kind": kind},
        )
        return answer

    async def pin_order(
        self, order_id: str, body: shapes.Pin | None = None, *, if_match: str | None = None
    ) -> shapes.OrderShape:
        """`POST /v1/orders/{order_id}/pin`."""
        answer: shapes.OrderShape = await self.ask(
            "POST", at("/v1/orders/{order_id}/pin", order_id=order_id), body=body, if_match=if_match
        )
        return answer

    async def get_proof(self, order_id: str) -> shapes.ProofShape:
        """`GET /v1/orders/{order_id}/proof`."""
        answer: shapes.ProofShape = await self.ask("GET", at("/v1/orders/{order_id}/proof", order_id=order_id))
        return answer

    async def reassign_order(
        self, order_id: str, body: shapes.Reassign, *, if_match: str | None = None
    ) -> shapes.OrderShape:
        """`POST /v1/orders/{order_id}/reassign`."""
        answer: shapes.OrderShape = await self.ask(
            "POST", at("/v1/orders/{order_id}/reassign", order_id=order_id), body=body, if_match=if_match
        )
        return answer

    async def retry_order(self, order_id: str, body: shapes.Retry, *, if_match: str | None = None) -> shapes.OrderShape:
        """`POST /v1/orders/{order_id}/retry`."""
        answer: shapes.OrderShape = await self.ask(
            "POST", at("/v1/orders/{order_id}/retry", order_id=order_id), body=body, if_match=if_match
        )
        return answer

    async def returned(self, order_id: str, body: shapes.Returned | None = None) -> shapes.OrderShape:
        """`POST /v1/orders/{order_id}/returned`."""
        answer: shapes.OrderShape = await self.ask(
            "POST", at("/v1/orders/{order_id}/returned", order_id=order_id), body=body
        )
        return answer

    async def share_order(self, order_id: str) -> shapes.LinkShape:
        """`POST /v1/orders/{order_id}/share`."""
        answer: shapes.LinkShape = await self.ask("POST", at("/v1/orders/{order_id}/share", order_id=order_id))
        return answer

    async def transfer_order(
        self, order_id: str, body: shapes.Transfer, *, if_match: str | None = None
    ) -> shapes.OrderShape:
        """`POST /v1/orders/{order_id}/transfer`."""
        answer: shapes.OrderShape = await self.ask(
            "POST", at("/v1/orders/{order_id}/transfer", order_id=order_id), body=body, if_match=if_match
        )
        return answer

    async def unassign_order(
        self, order_id: str, body: shapes.Why | None = None, *, if_match: str | None = None
    ) -> shapes.OrderShape:
        """`POST /v1/orders/{order_id}/unassign`."""
        answer: shapes.OrderShape = await self.ask(
            "POST", at("/v1/orders/{order_id}/unassign", order_id=order_id), body=body, if_match=if_match
        )
        return answer

    async def unpin_order(self, order_id: str) -> shapes.OrderShape:
        """`POST /v1/orders/{order_id}/unpin`."""
        answer: shapes.OrderShape = await self.ask("POST", at("/v1/orders/{order_id}/unpin", order_id=order_id))
        return answer

    async def list_entries(
        self,
        *,
        region: str | None = None,
        courier_id: str | None = None,
        from_: str | None = None,
        to: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
        format: Literal["json", "csv", None] = None,
    ) -> Any:
        """`GET /v1/pay/entries`."""
        answer: Any = await self.ask(
            "GET",
            "/v1/pay/entries",
            query={
                "region": region,
                "courier_id": courier_id,
                "from": from_,
                "to": to,
                "cursor": cursor,
                "limit": limit,
                "format": format,
            },
        )
        return answer

    async def add_entry(self, body: shapes.NewPayEntry, *, key: str | None = None) -> shapes.PayEntry | dict[str, Any]:
        """`POST /v1/pay/entries`."""
        answer: shapes.PayEntry | dict[str, Any] = await self.ask("POST", "/v1/pay/entries", body=body, key=key)
        return answer

    async def reverse_entry(self, entry_id: str, body: shapes.Reversal) -> shapes.PayEntry:
        """`POST /v1/pay/entries/{entry_id}/reverse`."""
        answer: shapes.PayEntry = await self.ask(
            "POST", at("/v1/pay/entries/{entry_id}/reverse", entry_id=entry_id), body=body
        )
        return answer

    async def list_rules(
        self, *, region: str | None = None, cursor: str | None = None, limit: int | None = None
    ) -> shapes.PageOfPayRules:
        """`GET /v1/pay/rules`."""
        answer: shapes.PageOfPayRules = await self.ask(
            "GET", "/v1/pay/rules", query={"region": region, "cursor": cursor, "limit": limit}
        )
        return answer

    async def add_rules(self, body: shapes.NewPayRules, *, key: str | None = None) -> shapes.PayRules | dict[str, Any]:
        """`POST /v1/pay/rules`."""
        answer: shapes.PayRules | dict[str, Any] = await self.ask("POST", "/v1/pay/rules", body=body, key=key)
        return answer

    async def simulate_rules(self, body: shapes.PaySimulation) -> shapes.PaySimulated:
        """`POST /v1/pay/rules/simulate`."""
        answer: shapes.PaySimulated = await self.ask("POST", "/v1/pay/rules/simulate", body=body)
        return answer

    async def list_places(
        self, *, region: str | None = None, cursor: str | None = None, limit: int | None = None
    ) -> shapes.PageOfPlaceInfo:
        """`GET /v1/places`."""
        answer: shapes.PageOfPlaceInfo = await self.ask(
            "GET", "/v1/places", query={"region": region, "cursor": cursor, "limit": limit}
        )
        return answer

    async def add_place(self, body: shapes.NewPlace, *, key: str | None = None) -> shapes.PlaceInfo:
        """`POST /v1/places`."""
        answer: shapes.PlaceInfo = await self.ask("POST", "/v1/places", body=body, key=key)
        return answer

    async def get_place(self, place_id: str) -> shapes.PlaceInfo:
        """`GET /v1/places/{place_id}`."""
        answer: shapes.PlaceInfo = await self.ask("GET", at("/v1/places/{place_id}", place_id=place_id))
        return answer

    async def change_place(
        self, place_id: str, body: shapes.PlacePatch, *, if_match: str | None = None
    ) -> shapes.PlaceInfo:
        """`PATCH /v1/places/{place_id}`."""
        answer: shapes.PlaceInfo = await self.ask(
            "PATCH", at("/v1/places/{place_id}", place_id=place_id), body=body, if_match=if_match
        )
        return answer

    async def remove_place(self, place_id: str) -> None:
        """`DELETE /v1/places/{place_id}`."""
        await self.ask("DELETE", at("/v1/places/{place_id}", place_id=place_id))

    async def list_ahead(self, place_id: str) -> shapes.PageOfGoShape:
        """`GET /v1/places/{place_id}/ahead`."""
        answer: shapes.PageOfGoShape = await self.ask("GET", at("/v1/places/{place_id}/ahead", place_id=place_id))
        return answer

    async def finish_ahead(self, place_id: str, body: shapes.GoSaid, *, key: str | None = None) -> shapes.GoShape:
        """`POST /v1/places/{place_id}/ahead/ready`."""
        answer: shapes.GoShape = await self.ask(
            "POST", at("/v1/places/{place_id}/ahead/ready", place_id=place_id), body=body, key=key
        )
        return answer

    async def skip_ahead(self, place_id: str, body: shapes.NewGo, *, key: str | None = None) -> shapes.GoShape:
        """`POST /v1/places/{place_id}/ahead/skip`."""
        answer: shapes.GoShape = await self.ask(
            "POST", at("/v1/places/{place_id}/ahead/skip", place_id=place_id), body=body, key=key
        )
        return answer

    async def start_ahead(self, place_id: str, body: shapes.NewGo, *, key: str | None = None) -> shapes.GoShape:
        """`POST /v1/places/{place_id}/ahead/start`."""
        answer: shapes.GoShape = await self.ask(
            "POST", at("/v1/places/{place_id}/ahead/start", place_id=place_id), body=body, key=key
        )
        return answer

    async def invite_place(self, place_id: str) -> shapes.InvitationShape:
        """`POST /v1/places/{place_id}/invitations`."""
        answer: shapes.InvitationShape = await self.ask(
            "POST", at("/v1/places/{place_id}/invitations", place_id=place_id)
        )
        return answer

    async def pause_place(self, place_id: str, body: shapes.Pause) -> shapes.PlaceInfo:
        """`POST /v1/places/{place_id}/pause`."""
        answer: shapes.PlaceInfo = await self.ask(
            "POST", at("/v1/places/{place_id}/pause", place_id=place_id), body=body
        )
        return answer

    async def get_stock(
        self, place_id: str, *, item: list[str] | None = None, cursor: str | None = None, limit: int | None = None
    ) -> shapes.PageOfStockOfItem:
        """`GET /v1/places/{place_id}/stock`."""
        answer: shapes.PageOfStockOfItem = await self.ask(
            "GET",
            at("/v1/places/{place_id}/stock", place_id=place_id),
            query={"item": item, "cursor": cursor, "limit": limit},
        )
        return answer

    async def list_counts(
        self,
        place_id: str,
        *,
        state: Literal["open", "approved", "rejected", None] = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> shapes.PageOfStockCount:
        """`GET /v1/places/{place_id}/stock/counts`."""
        answer: shapes.PageOfStockCount = await self.ask(
            "GET",
            at("/v1/places/{place_id}/stock/counts", place_id=place_id),
            query={"state": state, "cursor": cursor, "limit": limit},
        )
        return answer

    async def add_count(self, place_id: str, body: shapes.NewStockCount) -> shapes.StockCounted:
        """`POST /v1/places/{place_id}/stock/counts`."""
        answer: shapes.StockCounted = await self.ask(
            "POST", at("/v1/places/{place_id}/stock/counts", place_id=place_id), body=body
        )
        return answer

    async def approve_count(
        self, place_id: str, count_id: str, body: shapes.CountDecision | None = None
    ) -> shapes.StockCount:
        """`POST /v1/places/{place_id}/stock/counts/{count_id}/approve`."""
        answer: shapes.StockCount = await self.ask(
            "POST",
            at("/v1/places/{place_id}/stock/counts/{count_id}/approve", place_id=place_id, count_id=count_id),
            body=body,
        )
        return answer

    async def reject_count(
        self, place_id: str, count_id: str, body: shapes.CountDecision | None = None
    ) -> shapes.StockCount:
        """`POST /v1/places/{place_id}/stock/counts/{count_id}/reject`."""
        answer: shapes.StockCount = await self.ask(
            "POST",
            at("/v1/places/{place_id}/stock/counts/{count_id}/reject", place_id=place_id, count_id=count_id),
            body=body,
        )
        return answer

    async def list_movements(
        self,
        place_id: str,
        *,
        item_id: str | None = None,
        newest: bool | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> shapes.PageOfStockMovement:
        """`GET /v1/places/{place_id}/stock/movements`."""
        answer: shapes.PageOfStockMovement = await self.ask(
            "GET",
            at("/v1/places/{place_id}/stock/movements", place_id=place_id),
            query={"item_id": item_id, "newest": newest, "cursor": cursor, "limit": limit},
        )
        return answer

    async def add_movements(self, place_id: str, body: shapes.NewStockMovements) -> shapes.StockMovementsDone:
        """`POST /v1/places/{place_id}/stock/movements`."""
        answer: shapes.StockMovementsDone = await self.ask(
            "POST", at("/v1/places/{place_id}/stock/movements", place_id=place_id), body=body
        )
        return answer

    async def list_tasks(self, place_id: str) -> shapes.PageOfTaskShape:
        """`GET /v1/places/{place_id}/tasks`."""
        answer: shapes.PageOfTaskShape = await self.ask("GET", at("/v1/places/{place_id}/tasks", place_id=place_id))
        return answer

    async def delay_task(
        self, place_id: str, order_id: str, body: shapes.Delay, *, key: str | None = None
    ) -> shapes.TaskShape:
        """`POST /v1/places/{place_id}/tasks/{order_id}/delay`."""
        answer: shapes.TaskShape = await self.ask(
            "POST",
            at("/v1/places/{place_id}/tasks/{order_id}/delay", place_id=place_id, order_id=order_id),
            body=body,
            key=key,
        )
        return answer

    async def report_problem(self, place_id: str, order_id: str, body: shapes.Trouble) -> shapes.TaskShape:
        """`POST /v1/places/{place_id}/tasks/{order_id}/problem`."""
        answer: shapes.TaskShape = await self.ask(
            "POST",
            at("/v1/places/{place_id}/tasks/{order_id}/problem", place_id=place_id, order_id=order_id),
            body=body,
        )
        return answer

    async def finish_task(self, place_id: str, order_id: str, body: shapes.Said | None = None) -> shapes.TaskShape:
        """`POST /v1/places/{place_id}/tasks/{order_id}/ready`."""
        answer: shapes.TaskShape = await self.ask(
            "POST", at("/v1/places/{place_id}/tasks/{order_id}/ready", place_id=place_id, order_id=order_id), body=body
        )
        return answer

    async def start_task(self, place_id: str, order_id: str, body: shapes.Said | None = None) -> shapes.TaskShape:
        """`POST /v1/places/{place_id}/tasks/{order_id}/start`."""
        answer: shapes.TaskShape = await self.ask(
            "POST", at("/v1/places/{place_id}/tasks/{order_id}/start", place_id=place_id, order_id=order_id), body=body
        )
        return answer

    async def issue_place_token(self, place_id: str) -> shapes.PlaceToken:
        """`POST /v1/places/{place_id}/tokens`."""
        answer: shapes.PlaceToken = await self.ask("POST", at("/v1/places/{place_id}/tokens", place_id=place_id))
        return answer

    async def apply_plan(self, body: shapes.ApplyChanges, *, preview: bool | None = None) -> shapes.AppliedShape:
        """`POST /v1/plans/apply`."""
        answer: shapes.AppliedShape = await self.ask("POST", "/v1/plans/apply", body=body, query={"preview": preview})
        return answer

    async def ask_for_day(self, body: shapes.DayQuestion, *, key: str | None = None) -> shapes.DayAsked:
        """`POST /v1/plans/day`."""
        answer: shapes.DayAsked = await self.ask("POST", "/v1/plans/day", body=body, key=key)
        return answer

    async def plans_get_day(self, plan_id: str) -> shapes.DayPlanShape:
        """`GET /v1/plans/day/{plan_id}`."""
        answer: shapes.DayPlanShape = await self.ask("GET", at("/v1/plans/day/{plan_id}", plan_id=plan_id))
        return answer

    async def cancel_day(self, plan_id: str) -> shapes.DayPlanShape:
        """`DELETE /v1/plans/day/{plan_id}`."""
        answer: shapes.DayPlanShape = await self.ask("DELETE", at("/v1/plans/day/{plan_id}", plan_id=plan_id))
        return answer

    async def apply_day(self, plan_id: str) -> shapes.DayAppliedShape:
        """`POST /v1/plans/day/{plan_id}/apply`."""
        answer: shapes.DayAppliedShape = await self.ask("POST", at("/v1/plans/day/{plan_id}/apply", plan_id=plan_id))
        return answer

    async def preview_plan(self, body: shapes.Changes) -> shapes.PreviewShape:
        """`POST /v1/plans/preview`."""
        answer: shapes.PreviewShape = await self.ask("POST", "/v1/plans/preview", body=body)
        return answer

    async def windows_for(self, body: shapes.WindowQuestion) -> shapes.WindowAnswers:
        """`POST /v1/plans/windows`."""
        answer: shapes.WindowAnswers = await self.ask("POST", "/v1/plans/windows", body=body)
        return answer

    async def post_positions(self, body: dict[str, Any] | list[dict[str, Any]]) -> shapes.Accepted:
        """`POST /v1/positions`."""
        answer: shapes.Accepted = await self.ask("POST", "/v1/positions", body=body)
        return answer

    async def be_present(
        self, page_id: str, *, region: str | None = None, order_id: str | None = None, left: str | None = None
    ) -> shapes.Present:
        """`PUT /v1/presence/{page_id}`."""
        answer: shapes.Present = await self.ask(
            "PUT",
            at("/v1/presence/{page_id}", page_id=page_id),
            query={"region": region, "order_id": order_id, "left": left},
        )
        return answer

    async def list_quarantine(
        self,
        *,
        courier_id: str | None = None,
        reason: shapes.Reason | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> shapes.PageOfQuarantineView:
        """`GET /v1/quarantine`."""
        answer: shapes.PageOfQuarantineView = await self.ask(
            "GET",
            "/v1/quarantine",
            query={"courier_id": courier_id, "reason": reason, "limit": limit, "cursor": cursor},
        )
        return answer

    async def erase_recipient(self, body: shapes.Recipient) -> shapes.RecipientErased:
        """`POST /v1/recipients/erase`."""
        answer: shapes.RecipientErased = await self.ask("POST", "/v1/recipients/erase", body=body)
        return answer

    async def export_recipient(self, body: shapes.Recipient) -> Any:
        """`POST /v1/recipients/export`."""
        answer: Any = await self.ask("POST", "/v1/recipients/export", body=body)
        return answer

    async def count_recipient(self, body: shapes.Recipient) -> shapes.RecipientHeld:
        """`POST /v1/recipients/held`."""
        answer: shapes.RecipientHeld = await self.ask("POST", "/v1/recipients/held", body=body)
        return answer

    async def list_regions(self) -> shapes.PageOfRegion:
        """`GET /v1/regions`."""
        answer: shapes.PageOfRegion = await self.ask("GET", "/v1/regions")
        return answer

    async def add_region(self, body: shapes.NewRegion, *, key: str | None = None) -> shapes.Region:
        """`POST /v1/regions`."""
        answer: shapes.Region = await self.ask("POST", "/v1/regions", body=body, key=key)
        return answer

    async def get_region(self, name: str) -> shapes.Region:
        """`GET /v1/regions/{name}`."""
        answer: shapes.Region = await self.ask("GET", at("/v1/regions/{name}", name=name))
        return answer

    async def change_region(self, name: str, body: shapes.RegionPatch, *, if_match: str | None = None) -> shapes.Region:
        """`PATCH /v1/regions/{name}`."""
        answer: shapes.Region = await self.ask(
            "PATCH", at("/v1/regions/{name}", name=name), body=body, if_match=if_match
        )
        return answer

    async def get_settings_schema(self, name: str) -> dict[str, Any]:
        """`GET /v1/regions/{name}/settings/schema`."""
        answer: dict[str, Any] = await self.ask("GET", at("/v1/regions/{name}/settings/schema", name=name))
        return answer

    async def get_service_level(
        self,
        *,
        region: str | None = None,
        from_: str | None = None,
        to: str | None = None,
        by: shapes.By | None = None,
        format: Literal["json", "csv", None] = None,
    ) -> Any:
        """`GET /v1/reports/service-level`."""
        answer: Any = await self.ask(
            "GET",
            "/v1/reports/service-level",
            query={"region": region, "from": from_, "to": to, "by": by, "format": format},
        )
        return answer

    async def list_routes(self, *, region: str | None = None) -> shapes.BoardShape:
        """`GET /v1/routes`."""
        answer: shapes.BoardShape = await self.ask("GET", "/v1/routes", query={"region": region})
        return answer

    async def list_sessions(self) -> shapes.PageOfSessionShape:
        """`GET /v1/sessions`."""
        answer: shapes.PageOfSessionShape = await self.ask("GET", "/v1/sessions")
        return answer

    async def end_one_session(self, session_id: str) -> None:
        """`DELETE /v1/sessions/{session_id}`."""
        await self.ask("DELETE", at("/v1/sessions/{session_id}", session_id=session_id))

    async def sign_in(self, body: shapes.Credentials) -> shapes.Me:
        """`POST /v1/sign-in`."""
        answer: shapes.Me = await self.ask("POST", "/v1/sign-in", body=body)
        return answer

    async def leave_for_provider(self) -> Any:
        """`GET /v1/sign-in/oidc`."""
        answer: Any = await self.ask("GET", "/v1/sign-in/oidc")
        return answer

    async def come_back(self, *, code: str | None = None, state: str | None = None) -> Any:
        """`GET /v1/sign-in/oidc/callback`."""
        answer: Any = await self.ask("GET", "/v1/sign-in/oidc/callback", query={"code": code, "state": state})
        return answer

    async def leave_provider(self) -> Any:
        """`GET /v1/sign-in/oidc/out`."""
        answer: Any = await self.ask("GET", "/v1/sign-in/oidc/out")
        return answer

    async def sign_out(self) -> None:
        """`POST /v1/sign-out`."""
        await self.ask("POST", "/v1/sign-out")

    async def list_items(
        self, *, region: str | None = None, gtin: str | None = None, cursor: str | None = None, limit: int | None = None
    ) -> shapes.PageOfStockItem:
        """`GET /v1/stock/items`."""
        answer: shapes.PageOfStockItem = await self.ask(
            "GET", "/v1/stock/items", query={"region": region, "gtin": gtin, "cursor": cursor, "limit": limit}
        )
        return answer

    async def add_item(self, body: shapes.NewStockItem) -> shapes.StockItem:
        """`POST /v1/stock/items`."""
        answer: shapes.StockItem = await self.ask("POST", "/v1/stock/items", body=body)
        return answer

    async def change_item(self, item_id: str, body: shapes.StockItemPatch) -> shapes.StockItem:
        """`PATCH /v1/stock/items/{item_id}`."""
        answer: shapes.StockItem = await self.ask("PATCH", at("/v1/stock/items/{item_id}", item_id=item_id), body=body)
        return answer

    async def remove_item(self, item_id: str) -> None:
        """`DELETE /v1/stock/items/{item_id}`."""
        await self.ask("DELETE", at("/v1/stock/items/{item_id}", item_id=item_id))

    async def list_tokens(
        self,
        *,
        courier_id: str | None = None,
        kind: Literal["courier", "staff", "service", "session", None] = None,
        active: bool | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> shapes.PageOfTokenInfo:
        """`GET /v1/tokens`."""
        answer: shapes.PageOfTokenInfo = await self.ask(
            "GET",
            "/v1/tokens",
            query={"courier_id": courier_id, "kind": kind, "active": active, "cursor": cursor, "limit": limit},
        )
        return answer

    async def issue_staff_token(self, body: shapes.NewStaffToken) -> shapes.IssuedToken:
        """`POST /v1/tokens`."""
        answer: shapes.IssuedToken = await self.ask("POST", "/v1/tokens", body=body)
        return answer

    async def revoke_token(self, token_id: str) -> None:
        """`DELETE /v1/tokens/{token_id}`."""
        await self.ask("DELETE", at("/v1/tokens/{token_id}", token_id=token_id))

    async def list_users(self, *, cursor: str | None = None, limit: int | None = None) -> shapes.PageOfUser:
        """`GET /v1/users`."""
        answer: shapes.PageOfUser = await self.ask("GET", "/v1/users", query={"cursor": cursor, "limit": limit})
        return answer

    async def add_user(self, body: shapes.NewUser) -> shapes.User:
        """`POST /v1/users`."""
        answer: shapes.User = await self.ask("POST", "/v1/users", body=body)
        return answer

    async def get_user(self, user_id: str) -> shapes.User:
        """`GET /v1/users/{user_id}`."""
        answer: shapes.User = await self.ask("GET", at("/v1/users/{user_id}", user_id=user_id))
        return answer

    async def change_user(self, user_id: str, body: shapes.UserPatch, *, if_match: str | None = None) -> shapes.User:
        """`PATCH /v1/users/{user_id}`."""
        answer: shapes.User = await self.ask(
            "PATCH", at("/v1/users/{user_id}", user_id=user_id), body=body, if_match=if_match
        )
        return answer

    async def remove_user(self, user_id: str, *, erase: bool | None = None) -> None:
        """`DELETE /v1/users/{user_id}`."""
        await self.ask("DELETE", at("/v1/users/{user_id}", user_id=user_id), query={"erase": erase})

    async def export_user(self, user_id: str) -> Any:
        """`GET /v1/users/{user_id}/export`."""
        answer: Any = await self.ask("GET", at("/v1/users/{user_id}/export", user_id=user_id))
        return answer

    async def reset_password(self, user_id: str, body: shapes.Reset | None = None) -> shapes.User:
        """`POST /v1/users/{user_id}/reset-password`."""
        answer: shapes.User = await self.ask(
            "POST", at("/v1/users/{user_id}/reset-password", user_id=user_id), body=body
        )
        return answer

    async def list_user_sessions(self, user_id: str) -> shapes.PageOfSessionShape:
        """`GET /v1/users/{user_id}/sessions`."""
        answer: shapes.PageOfSessionShape = await self.ask("GET", at("/v1/users/{user_id}/sessions", user_id=user_id))
        return answer

    async def end_user_sessions(self, user_id: str) -> None:
        """`DELETE /v1/users/{user_id}/sessions`."""
        await self.ask("DELETE", at("/v1/users/{user_id}/sessions", user_id=user_id))

    async def list_webhooks(self) -> shapes.PageOfWebhook:
        """`GET /v1/webhooks`."""
        answer: shapes.PageOfWebhook = await self.ask("GET", "/v1/webhooks")
        return answer

    async def create_webhook(self, body: shapes.NewWebhook, *, key: str | None = None) -> shapes.WebhookWithSecret:
        """`POST /v1/webhooks`."""
        answer: shapes.WebhookWithSecret = await self.ask("POST", "/v1/webhooks", body=body, key=key)
        return answer

    async def get_webhook(self, webhook_id: str) -> shapes.Webhook:
        """`GET /v1/webhooks/{webhook_id}`."""
        answer: shapes.Webhook = await self.ask("GET", at("/v1/webhooks/{webhook_id}", webhook_id=webhook_id))
        return answer

    async def change_webhook(self, webhook_id: str, body: shapes.WebhookPatch) -> shapes.Webhook:
        """`PATCH /v1/webhooks/{webhook_id}`."""
        answer: shapes.Webhook = await self.ask(
            "PATCH", at("/v1/webhooks/{webhook_id}", webhook_id=webhook_id), body=body
        )
        return answer

    async def delete_webhook(self, webhook_id: str) -> None:
        """`DELETE /v1/webhooks/{webhook_id}`."""
        await self.ask("DELETE", at("/v1/webhooks/{webhook_id}", webhook_id=webhook_id))

    async def list_deliveries(
        self, webhook_id: str, *, cursor: str | None = None, limit: int | None = None
    ) -> shapes.PageOfDelivery:
        """`GET /v1/webhooks/{webhook_id}/deliveries`."""
        answer: shapes.PageOfDelivery = await self.ask(
            "GET",
            at("/v1/webhooks/{webhook_id}/deliveries", webhook_id=webhook_id),
            query={"cursor": cursor, "limit": limit},
        )
        return answer

    async def resend(self, webhook_id: str, delivery_id: str) -> shapes.Queued:
        """`POST /v1/webhooks/{webhook_id}/deliveries/{delivery_id}/resend`."""
        answer: shapes.Queued = await self.ask(
            "POST",
            at(
                "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/resend",
                webhook_id=webhook_id,
                delivery_id=delivery_id,
            ),
        )
        return answer

    async def rotate_secret(self, webhook_id: str) -> shapes.NewSecret:
        """`POST /v1/webhooks/{webhook_id}/rotate`."""
        answer: shapes.NewSecret = await self.ask("POST", at("/v1/webhooks/{webhook_id}/rotate", webhook_id=webhook_id))
        return answer

    async def send_test(self, webhook_id: str) -> shapes.Queued:
        """`POST /v1/webhooks/{webhook_id}/test`."""
        answer: shapes.Queued = await self.ask("POST", at("/v1/webhooks/{webhook_id}/test", webhook_id=webhook_id))
        return answer
