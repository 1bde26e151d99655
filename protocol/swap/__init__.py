"""One swap as a value: facts and events in, decisions out."""
