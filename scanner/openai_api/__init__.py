"""OpenAI's Administration API: requests, responses, and collecting an organization's inventory."""
