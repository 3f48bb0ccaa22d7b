"""The parts that the fold puts together: messages, blocks, requests, and lists of them."""
