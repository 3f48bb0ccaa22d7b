"""What tests need around them: browsers and servers of their own, found or installed."""
