"""Head and body of an answer are one write, and nothing of it is lost."""

import asyncio

from extension.common import whole_answers
from h11_answer import written


def test_a_small_answer_is_one_piece():
    (piece,) = asyncio.run(written(whole_answers.send_head_with_body))
    assert piece.startswith(b"HTTP/1.1 200") and piece.endswith(b"\r\n\r\n{}")
