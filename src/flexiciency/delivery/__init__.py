"""Due deliveries: build, sign, post, retry."""
