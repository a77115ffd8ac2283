"""Images between bytes and pixels: decoding, encoding, headers, digests."""
