"""What the benchmark's HTTP servers load, besides `flexiciency.serving:wsgi`."""

import flexiciency.soap.spyne_compat

from tests.benchmarks.yardsticks import plain_soap

yardstick = plain_soap.application
