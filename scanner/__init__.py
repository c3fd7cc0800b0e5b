"""KeyVigil: a scheduled key-hygiene compliance scanner for OpenAI organizations."""
