"""The HTLC contract by itself: rebuilt byte for byte, attacked with forge, measured on anvil."""
