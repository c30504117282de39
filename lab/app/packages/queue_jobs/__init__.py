"""What the API and the worker agree on: the queue's name, its jobs, and how the process logs."""

import logging
import os
import sys
import time

QUEUE = "notes"
CREATE_NOTE = "create-note"


def redis_url() -> str:
    return os.environ["REDIS_URL"]


def configure_logging() -> None:
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)sZ %(levelname)s %(name)s: %(message)s", datefmt="%Y-%m-%dT%H:%M:%S")
    logging.Formatter.converter = time.gmtime
