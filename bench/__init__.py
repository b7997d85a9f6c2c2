"""What resultflow costs beside bare Python and a peer: `make bench`."""
