"""OpenAI's Administration API: asking it, reading its answers, walking an organization."""
