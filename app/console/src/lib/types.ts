/**
 * The API's shapes under the names that the page uses for them. They come from the API's own description
 * (`python app/console/build.py types` writes openapi.ts); what that does not describe is in undescribed.ts.
 */

import type { components } from './openapi'

type Shapes = components['schemas']

export type Alert = Shapes['Alert']
export type AlertKind = Shapes['AlertKind']
/** All routes of a region at one moment. */
export type Board = Shapes['BoardShape']
export type BoardRoute = Shapes['BoardRoute']
export type BoardShift = Shapes['BoardShift']
export type BoardStop = Shapes['BoardStop']
export type BulkDone = Shapes['BulkDone']
export type BulkResult = Shapes['BulkResult']
/** Who could take an order, the cheapest first, and who could not. */
export type Candidates = Shapes['CandidatesShape']
/** What would be different in a plan. */
export type Changes = Shapes['Changes']
export type Difference = Shapes['DifferenceShape']
export type Preview = Shapes['PreviewShape']
export type Totals = Shapes['TotalsShape']
export type DayPlan = Shapes['DayPlanShape']
export type DayQuestion = Shapes['DayQuestion']
export type Comment = Shapes['CommentShape']
export type ChannelPatch = Shapes['ChannelPatch']
export type Courier = Shapes['Courier']
export type CourierMessage = Shapes['CourierMessage']
export type CourierPay = Shapes['CourierPay']
export type PayEntry = Shapes['PayEntry']
export type PayRules = Shapes['PayRules']
export type PaySimulated = Shapes['PaySimulated']
export type RecipientErased = Shapes['RecipientErased']
export type RecipientHeld = Shapes['RecipientHeld']
/** When somebody arrives at a stop, or an order at its door: null while nobody has it. */
export type Eta = Shapes['EtaShape'] | Shapes['OrderEtaShape']
/** An address that a geocoder knows. */
export type Found = Shapes['Found']
export type Geocoded = Shapes['Answer']
/** What became of a batch of orders, or would. */
export type Imported = Shapes['Imported']
/** A link for a courier's phone. */
export type Invitation = Shapes['InvitationShape']
export type IssuedToken = Shapes['IssuedToken']
export type Mode = Shapes['Mode']
export type NewOrder = Shapes['NewOrderShape']
export type Order = Shapes['OrderShape']
export type OrderPatch = Shapes['OrderPatch']
export type Proof = Shapes['ProofShape']
export type OrderEvent = Shapes['EventShape']
/** What was said of an order's arrival, once. */
export type ToldArrival = Shapes['ToldShape']
/** Who is signed in. */
export type Person = Shapes['Me']
export type Place = Shapes['StopShape']
export type Route = Shapes['RouteShape']
export type Present = Shapes['Present']
export type Region = Shapes['Region']
/** A place that prepares orders. */
export type Counted = Shapes['StockCount']
export type GoodsKept = Shapes['StockItem']
export type GoodsMoved = Shapes['StockMovement']
export type GoodsThere = Shapes['StockOfItem']
export type MovementsDone = Shapes['StockMovementsDone']
export type Kitchen = Shapes['PlaceInfo']
export type KitchenPatch = Shapes['PlacePatch']
export type NewKitchen = Shapes['NewPlace']
/** What it makes for an order. */
export type PlaceTask = Shapes['TaskShape']
export type Shift = Shapes['ShiftShape']
export type ServiceLevel = Shapes['ServiceLevel']
/** Orders that nobody has, by what each would cost with a courier. */
export type Suggestions = Shapes['SuggestionsShape']
/** What an authenticator app is set up with. */
export type SecondFactorSetup = Shapes['SecondFactorSetup']
/** A session of one's own that goes on. */
export type SessionShape = Shapes['SessionShape']
export type ReportBy = Shapes['By']
export type ReportRow = Shapes['RowShape']

/** What an administrator looks after. */
export type User = Shapes['User']
export type UserRole = User['role']
export type TokenInfo = Shapes['TokenInfo']
export type AuditEntry = Shapes['AuditEntry']
export type Webhook = Shapes['Webhook']
export type Delivery = Shapes['Delivery']
/** A way to tell people. */
export type Channel = Shapes['Channel']
export type NewChannel = Shapes['NewChannel']
/** What became of a test. */
export type Tried = Shapes['Tried']
export type Held = Shapes['Held']
export type Kept = Shapes['Kept']
export type Check = Shapes['Check']
