"""MQTT's packets."""

import paho.mqtt.client as paho
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.doors.mqtt import packets, phone
from app.doors.mqtt.packets import Acknowledgement, Connect, Decoder, Kind, Malformed, Publish, Sign, Subscribe

LIMIT = 100_000
TEXT = st.text(st.characters(exclude_characters="\x00+#", exclude_categories=["Cs"]), min_size=1, max_size=40)


def fed(data, size=LIMIT):
    decoder = Decoder(LIMIT)
    return [packet for start in range(0, len(data), size) for packet in decoder.feed(data[start : start + size])]


class Wire:
    """Takes what paho's client sends."""

    def __init__(self):
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="phone", protocol=paho.MQTTv311)
        self.sent = bytearray()
        self.client._sock = self
        self.client._sockpairW = None

    def send(self, data):
        self.sent += data
        return len(data)

    def fileno(self):
        return 0

    def close(self):
        return None


@given(topic=TEXT, payload=st.binary(max_size=20_000), qos=st.sampled_from([0, 1, 2]), size=st.integers(1, 500))
def test_message_of_a_real_client_is_read_however_it_is_cut(topic, payload, qos, size):
    wire = Wire()
    wire.client._send_publish(7, topic.encode(), payload, qos, info=paho.MQTTMessageInfo(7))
    wire.client._packet_write()
    [message] = fed(bytes(wire.sent), size)
    assert message == Publish(topic=topic, payload=payload, qos=qos, packet_id=7 if qos else 0)


@given(topic=TEXT, payload=st.binary(max_size=20_000))
def test_message_to_a_client_is_read_as_it_was_written(topic, payload):
    assert fed(packets.message(topic, payload)) == [Publish(topic=topic, payload=payload)]


@given(data=st.binary(max_size=200), size=st.integers(1, 50))
def test_whatever_comes_is_packets_or_malformed(data, size):
    try:
        fed(data, size)
    except Malformed:
        return


def test_the_other_packets_of_a_real_client_are_read():
    wire = Wire()
    wire.client.username_pw_set("ana", "pr_c_x")
    wire.client.will_set("owntracks/ana/phone", "gone", qos=1)
    wire.client._send_connect(30)
    wire.client._send_subscribe(False, [(b"owntracks/+/+/info", 1), (b"owntracks/ana/phone/cmd", 0)])
    wire.client._send_unsubscribe(False, [b"a/#"])
    wire.client._send_puback(9)
    wire.client._send_pubrel(9)
    wire.client._send_pingreq()
    wire.client._send_disconnect(None)
    wire.client._packet_write()
    assert fed(bytes(wire.sent)) == [
        Connect(client_id="phone", user="ana", password="pr_c_x", keep_alive_s=30),
        Subscribe(1, ["owntracks/+/+/info", "owntracks/ana/phone/cmd"]),
        Subscribe(2, ["a/#"], is_over=True),
        Acknowledgement(Kind.PUBACK, 9),
        Acknowledgement(Kind.PUBREL, 9),
        Sign(Kind.PINGREQ),
        Sign(Kind.DISCONNECT),
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"\x10\x0c\x00\x04MQTT\x05\x02\x00\x3c\x00\x00",  # MQTT 5
        b"\x30\xff\xff\xff\xff\x7f",  # a size of five bytes
        b"\x30\xff\xff\xff\x7f",  # more than may be
        b"\x30\x03\x00\x09a",  # a topic that is longer than its packet
        b"\x36\x05\x00\x01a\x00\x01",  # quality 3
        b"\x32\x05\x00\x01a\x00\x00",  # no packet identifier
        b"\x30\x04\x00\x02a+",
        b"\x82\x02\x00\x01",  # no filter
        b"\x20\x02\x00\x00",  # what a server says
        b"\xf0\x00",
    ],
)
def test_what_is_no_packet_of_ours_is_malformed(data):
    with pytest.raises(Malformed):
        fed(data)


def test_a_broker_that_bridges_is_told_from_its_level():
    assert fed(b"\x10\x0d\x00\x04MQTT\x84\x02\x00\x3c\x00\x01b") == [Connect(client_id="b", keep_alive_s=60)]


@pytest.mark.parametrize(
    ("topic", "wanted", "is_so"),
    [
        ("owntracks/ana/phone", "owntracks/+/+", True),
        ("owntracks/ana/phone/cmd", "owntracks/+/+", False),
        ("owntracks/ana/phone/cmd", "owntracks/#", True),
        ("owntracks", "owntracks/#", True),
        ("owntracks/ana", "owntracks/ana", True),
        ("owntracks/ana", "owntracks/eve", False),
        ("owntracks/ana", "#", True),
        ("owntracks/ana", "owntracks/ana/+", False),
    ],
)
def test_filter_wants_a_topic(topic, wanted, is_so):
    assert packets.matches(topic, wanted) == is_so


def test_stops_ahead_are_waypoints_and_none_clears_them():
    stops = [
        {"kind": "pickup", "lat": 1.0, "lon": 2.0, "address": "Rua 1"},
        {"kind": "dropoff", "lat": 3.0, "lon": 4.0},
    ]
    told = phone.msgspec.json.decode(phone.stops_ahead({"stops": stops}, 100))
    waypoints = told["waypoints"]["waypoints"]
    assert [(one["desc"], one["lat"], one["tst"]) for one in waypoints] == [
        ("1 pickup Rua 1", 1.0, 101),
        ("2 dropoff", 3.0, 102),
    ]
    assert phone.stops_ahead({"stops": []}, 100) == phone.CLEAR


def test_card_has_a_topic_of_one_device_whatever_the_courier_is_called():
    rows = [{"id": 1, "external_id": name, "name": "Ana Sousa"} for name in (None, "ana", "a/b", "a+", "#")]
    assert [topic for topic, _ in phone.cards(rows)] == [
        f"owntracks/{name}/courier/info" for name in ("1", "ana", "1", "1", "1")
    ]
    assert phone.msgspec.json.decode(phone.cards(rows)[0][1]) == {"_type": "card", "name": "Ana Sousa", "tid": "AS"}


@pytest.mark.parametrize(
    ("topic", "base"),
    [
        ("owntracks/ana/phone", "owntracks/ana/phone"),
        ("owntracks/ana/phone/cmd", "owntracks/ana/phone"),
        ("owntracks/+/+/cmd", None),
        ("owntracks/ana", None),
        ("owntracks//x", None),
    ],
)
def test_device_of_a_topic(topic, base):
    assert phone.base_of(topic) == base
