"""Lets `python -m undertow` stand in for `undertow`."""

import sys

from undertow.cli import main

sys.exit(main())
