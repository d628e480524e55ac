"""What both ends share: the way of one message, Spyne and Zeep adapters, posting, faults."""
