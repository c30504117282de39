"""A client's side of Session Manager's data channel: the bytes, the handshake, order, acknowledgements, what is sent again."""

import hashlib
import json
import struct
import uuid

import pytest
from ansible_collections.atena.aws.plugins.module_utils.exec import messages
from ansible_collections.atena.aws.plugins.module_utils.exec.channel import Channel, SessionEnded, SessionRefused
from ansible_collections.atena.aws.plugins.module_utils.exec.messages import BadMessage, Message, packed, unpacked
from ansible_collections.atena.aws.plugins.module_utils.exec.websocket import PING, TEXT


def test_a_message_is_laid_out_as_aws_publishes_it():
    identifier = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")
    data = packed(Message(messages.INPUT, 7, messages.PLAIN, b"payload", flags=1, id=identifier))
    assert struct.unpack_from("!I", data, 0) == (116,)
    assert data[4:36] == b"input_stream_data" + b" " * 15
    assert struct.unpack_from("!I", data, 36) == (1,)
    assert struct.unpack_from("!q", data, 48) == (7,)
    assert struct.unpack_from("!Q", data, 56) == (1,)
    # The second half of an id comes first.
    assert data[64:80] == bytes.fromhex("8899aabbccddeeff0011223344556677")
    assert data[80:112] == hashlib.sha256(b"payload").digest()
    assert struct.unpack_from("!II", data, 112) == (1, 7)
    assert data[120:] == b"payload"


def test_there_and_back():
    message = Message(messages.OUTPUT, 3, messages.PLAIN, "São Paulo".encode(), id=uuid.uuid4())
    assert unpacked(packed(message)) == message


@pytest.mark.parametrize("damage", [lambda data: data[:50], lambda data: data[:-1], lambda data: data[:-1] + b"?"])
def test_damage_is_seen(damage):
    with pytest.raises(BadMessage):
        unpacked(damage(packed(Message(messages.OUTPUT, payload=b"payload"))))


class Agent:
    """A socket whose other side says what it is told to, and keeps what it hears."""

    def __init__(self):
        self.sent, self.queue, self.sequence, self.closed, self.now = [], [], 0, False, 0.0

    def send(self, kind, payload):
        self.sent.append((kind, payload))

    def receive(self, timeout):
        self.now += timeout
        return self.queue.pop(0) if self.queue else None

    def close(self):
        self.closed = True

    def say(self, payload, kind=messages.PLAIN, sequence=None):
        number = self.sequence if sequence is None else sequence
        self.sequence = max(self.sequence, number + 1)
        message = Message(messages.OUTPUT, number, kind, payload if isinstance(payload, bytes) else json.dumps(payload).encode(), id=uuid.uuid4())
        self.queue.append(packed(message))
        return message

    def shake_hands(self, *actions):
        wishes = [{"ActionType": action, "ActionParameters": {}} for action in actions or ("SessionType",)]
        self.say({"AgentVersion": "3.3.0.0", "RequestedClientActions": wishes}, messages.HANDSHAKE_REQUEST)
        self.say({"HandshakeTimeToComplete": 1, "CustomerMessage": ""}, messages.HANDSHAKE_COMPLETE)

    def heard(self, type_):
        return [message for message in (unpacked(data) for kind, data in self.sent if kind != TEXT and kind != PING) if message.type == type_]


@pytest.fixture
def agent():
    return Agent()


@pytest.fixture
def channel(agent):
    return Channel(agent, "the-token", clock=lambda: agent.now)


def all_of(channel, agent):
    output = b""
    while agent.queue:
        output += channel.receive(0.1)
    return output


def test_the_token_opens_it(channel, agent):
    kind, text = agent.sent[0]
    assert kind == TEXT
    opening = json.loads(text)
    assert opening["TokenValue"] == "the-token"
    assert opening["MessageSchemaVersion"] == "1.0"
    assert uuid.UUID(opening["ClientId"]) and uuid.UUID(opening["RequestId"])


def test_hands_are_shaken_and_the_screen_is_wide(channel, agent):
    agent.shake_hands()
    assert all_of(channel, agent) == b""
    assert channel.ready
    answer, size = agent.heard(messages.INPUT)
    assert (answer.sequence, answer.payload_kind, size.sequence, size.payload_kind) == (0, messages.HANDSHAKE_RESPONSE, 1, messages.SIZE)
    assert answer.data()["ProcessedClientActions"] == [{"ActionType": "SessionType", "ActionStatus": 1, "ActionResult": None, "Error": ""}]
    assert size.data()["cols"] >= 200


def test_encryption_with_kms_is_refused_openly(channel, agent):
    agent.shake_hands("KMSEncryption", "SessionType")
    with pytest.raises(SessionRefused, match="does not encrypt with KMS"):
        all_of(channel, agent)
    assert [action["ActionStatus"] for action in agent.heard(messages.INPUT)[0].data()["ProcessedClientActions"]] == [2, 1]


def test_what_comes_out_of_order_is_put_in_order_and_what_comes_twice_is_taken_once(channel, agent):
    agent.shake_hands()
    for number, text in ((2, b"a"), (4, b"c"), (4, b"c"), (5, b"d"), (3, b"b"), (2, b"a"), (6, b"e")):
        agent.say(text, sequence=number)
    assert all_of(channel, agent) == b"abcde"
    acknowledged = [message.data()["AcknowledgedMessageSequenceNumber"] for message in agent.heard(messages.ACKNOWLEDGE)]
    assert acknowledged == [0, 1, 2, 4, 4, 5, 3, 2, 6]


def test_an_acknowledgement_names_what_it_is_for(channel, agent):
    said = agent.say(b"text")
    all_of(channel, agent)
    heard = agent.heard(messages.ACKNOWLEDGE)[0]
    assert (heard.flags, heard.sequence) == (3, 0)
    assert heard.data() == {
        "AcknowledgedMessageType": "output_stream_data",
        "AcknowledgedMessageId": str(said.id),
        "AcknowledgedMessageSequenceNumber": 0,
        "IsSequentialMessage": True,
    }


def test_what_came_damaged_is_not_acknowledged_and_taken_when_it_comes_again(channel, agent):
    agent.say(b"text")
    whole = agent.queue[0]
    agent.queue.insert(0, whole[:-1] + b"?")
    assert all_of(channel, agent) == b"text"
    assert len(agent.heard(messages.ACKNOWLEDGE)) == 1


def test_what_is_not_acknowledged_is_sent_again_until_it_is(channel, agent):
    agent.shake_hands()
    all_of(channel, agent)
    for _ in range(3):
        channel.receive(1.1)
    assert [message.sequence for message in agent.heard(messages.INPUT)] == [0, 1, 0, 1, 0, 1, 0, 1]
    for message in agent.heard(messages.INPUT)[:2]:
        agent.queue.append(packed(messages.acknowledgement(message)))
    all_of(channel, agent)
    before = len(agent.sent)
    channel.receive(1.1)
    assert len(agent.sent) == before


def test_the_connection_is_kept_alive(channel, agent):
    channel.receive(299)
    assert PING not in [kind for kind, _ in agent.sent]
    channel.receive(2)
    assert [kind for kind, _ in agent.sent].count(PING) == 1


def test_the_end_is_told_in_the_services_words(channel, agent):
    agent.queue.append(packed(Message(messages.CLOSED, payload=json.dumps({"Output": "Unable to start command"}).encode())))
    with pytest.raises(SessionEnded, match="Unable to start command"):
        all_of(channel, agent)


def test_it_can_be_told_to_end(channel, agent):
    channel.terminate()
    (message,) = agent.heard(messages.INPUT)
    assert (message.payload_kind, message.payload) == (messages.FLAG, b"\0\0\0\2")


def test_messages_of_other_kinds_are_passed_over(channel, agent):
    agent.queue += [packed(Message("start_publication")), packed(Message("pause_publication")), packed(Message("something_new", payload=b"x"))]
    assert all_of(channel, agent) == b""
