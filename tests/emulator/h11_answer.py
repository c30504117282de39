"""What Hypercorn's HTTP/1.1 protocol writes of one small answer."""

import h11


async def written(send_event) -> list[bytes]:
    """The pieces in which an answer leaves when its events are sent by this function."""
    pieces: list[bytes] = []

    class Connected:
        connection = h11.Connection(h11.SERVER)

        async def send(self, event):
            pieces.append(event.data)

    protocol = Connected()
    protocol.connection.receive_data(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    while protocol.connection.next_event() is not h11.NEED_DATA and protocol.connection.their_state is not h11.DONE:
        pass
    for event in (h11.Response(status_code=200, headers=[("Content-Length", "2")]), h11.Data(data=b"{}"), h11.EndOfMessage()):
        await send_event(protocol, event)
    return [piece for piece in pieces if piece]
