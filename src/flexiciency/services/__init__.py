"""The gateway's Spyne services: B2B and B2C."""
