"""
What can go wrong in dispatch.

    DispatchError
    ├── OrderNotFound
    ├── OrderNotOpen          the order's state does not allow that transition
    ├── ProofMissing          the region wants more to prove that it was handed over
    ├── CodeWrong             the recipient's code is another one
    ├── VersionConflict       somebody else changed it first
    ├── GoodsOnBoard          the courier must hand something over before that
    ├── CourierUnsuitable     something speaks against giving the order to that courier
    ├── OfferNotFound
    ├── OfferNotOpen          the offer was answered, withdrawn or has expired
    ├── NotYours              the order or offer is another courier's
    ├── IdempotencyKeyReused  the same key came with another request
    ├── ExternalIdInUse       another order or courier has it
    ├── ShiftNotFound
    ├── ShiftOverlaps         the courier has another shift at that time
    ├── AreaInUse             couriers serve that fence
    ├── NotAtWork             the courier is off duty
    ├── NoBreak               there is no break that could end
    ├── ShareNotFound         the recipient's link is unknown, or its order is closed
    ├── AlertNotFound
    ├── AlertResolved         its cause has ended: nobody need look after it
    ├── PayRulesNotFound      the region has none, or none of that version
    ├── PayEntryNotFound
    ├── RegionNotFound
    ├── RegionExists          another region has that name
    ├── TooManyRegions        one process could not follow them all
    ├── DayPlanNotFound
    ├── DayPlanNotReady       it is being made, has failed, or was applied already
    ├── DayPlanRunning        a plan of that region is being made
    ├── PlaceNotFound
    ├── PlaceFull             the place has as many orders to make as it takes
    ├── PlaceInUse            orders are still to be collected there
    ├── ItemNotFound          no stock is kept of such goods
    ├── ItemInStock           there is some of it
    ├── OutOfStock            there is not as much
    ├── QuantityUnknown       neither said nor in the code
    ├── MovementReused        the same id came with another movement
    ├── CountNotFound         the place has no such count of goods
    ├── CountDecided          it was approved or rejected before
    └── PlannerBusy           as many questions wait for the planner as may

A class docstring is the default message; facts are attributes and become members of the problem (app/web/problems.py).
"""


class DispatchError(Exception):
    """Something went wrong in dispatch."""

    def __init__(self, message: str | None = None, **facts: object) -> None:
        super().__init__(message or self.__doc__)
        self.facts = facts


class OrderNotFound(DispatchError):
    """There is no such order."""


class OrderNotOpen(DispatchError):
    """The state of the order does not allow that."""


class ProofMissing(DispatchError):
    """More is needed to prove that it was handed over."""


class CodeWrong(DispatchError):
    """That is not the code that the recipient was given."""


class VersionConflict(DispatchError):
    """Somebody else changed it first; read it again."""


class GoodsOnBoard(DispatchError):
    """The courier has goods on board that must be handed over first."""


class CourierUnsuitable(DispatchError):
    """Something speaks against giving the order to this courier; `force` overrules it."""


class OfferNotFound(DispatchError):
    """There is no such offer."""


class OfferNotOpen(DispatchError):
    """The offer is not open any more."""


class NotYours(DispatchError):
    """That belongs to another courier."""


class IdempotencyKeyReused(DispatchError):
    """This Idempotency-Key was used for another request."""


class ExternalIdInUse(DispatchError):
    """Something else has this external_id."""


class ShiftNotFound(DispatchError):
    """The courier has no such shift."""


class ShiftOverlaps(DispatchError):
    """The courier has a shift at that time."""


class AreaInUse(DispatchError):
    """Couriers serve this area: give them another one first."""


class NotAtWork(DispatchError):
    """The courier is off duty."""


class NoBreak(DispatchError):
    """The courier has begun no break."""


class ShareNotFound(DispatchError):
    """The link is not valid any more."""


class AlertNotFound(DispatchError):
    """There is no such alert."""


class AlertResolved(DispatchError):
    """The cause of the alert has ended meanwhile."""


class PayRulesNotFound(DispatchError):
    """There are no such rules of pay."""


class PayEntryNotFound(DispatchError):
    """There is no such entry of the ledger."""


class RegionNotFound(DispatchError):
    """There is no such region."""


class RegionExists(DispatchError):
    """There is a region of that name."""


class TooManyRegions(DispatchError):
    """There are as many regions as an installation may have."""


class DayPlanNotFound(DispatchError):
    """There is no such plan of a day."""


class DayPlanNotReady(DispatchError):
    """Only a plan that is ready can be applied, and once."""


class DayPlanRunning(DispatchError):
    """A plan of that region is being made: wait for it, or cancel it."""


class PlaceNotFound(DispatchError):
    """There is no such place."""


class PlaceFull(DispatchError):
    """The place has as many orders to make as it takes; try again later."""


class PlaceInUse(DispatchError):
    """Orders are still to be collected there."""


class ItemNotFound(DispatchError):
    """No stock is kept of such goods there."""


class ItemInStock(DispatchError):
    """There is still some of it."""


class OutOfStock(DispatchError):
    """There is not as much."""


class QuantityUnknown(DispatchError):
    """How much of it? Neither was that said, nor does the code tell."""


class MovementReused(DispatchError):
    """A movement of that id was another one."""


class CountNotFound(DispatchError):
    """The place has no such count."""


class CountDecided(DispatchError):
    """It was approved or rejected before."""


class PlannerBusy(DispatchError):
    """Others are waiting for the planner; ask again in a moment."""
