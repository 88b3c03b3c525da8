"""Messages in, prompt out; raw text in, events out. Pure: no model, no thread."""
