"""A faithful local copy of OpenAI's Administration API, for the demo, trials and tests."""
