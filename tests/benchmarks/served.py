"""What the benchmark's HTTP servers load."""

import flexiciency.soap.spyne_compat

from tests.benchmarks.yardsticks import plain_soap

yardstick = plain_soap.application
