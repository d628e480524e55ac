"""The contract as code: catalogue, published files, validation and the codec for bulk values."""
