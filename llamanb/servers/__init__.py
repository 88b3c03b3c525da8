"""HTTP dialects over a resident model; OpenAI and Anthropic (not part of this release)."""
