"""A faithful local stand-in for OpenAI's Administration API, for the demo, trials and tests."""
